/** The scores that rewards give to pairs of completions under each prompt of a length audit. */
import type { Completion, Example } from "../core/records.ts";
import type { Scores } from "../rewards/index.ts";
import {
  changedQuestions,
  type LengthPair,
  type PairScore,
  PROMPTS,
  type PromptChange,
  wordsOf,
} from "./length-audit.ts";

/** A question with a better and a worse completion. */
export interface Preference {
  readonly example: Example;
  readonly chosen: string;
  readonly rejected: string;
}

/** The scores of two completions by each of several rewards. */
export type PairScorer = (example: Example, completions: readonly Completion[]) => Promise<readonly Scores[]>;

/** Scores of every pair by prompt, for one reward. */
export type ScoresByPrompt = Readonly<Partial<Record<PromptChange, readonly PairScore[]>>>;

/** Pairs with the lengths of their completions, in words unless `count` counts otherwise. */
export function lengthPairs(
  preferences: readonly Preference[],
  count: (text: string) => number = wordsOf,
): readonly LengthPair[] {
  return preferences.map(({ example: { subjectId, question }, chosen, rejected }) => ({
    ...{ subject: subjectId, question },
    chosen: { text: chosen, length: count(chosen) },
    rejected: { text: rejected, length: count(rejected) },
  }));
}

/**
 * Scores all pairs under every prompt, five passes in all; an emptied prompt has no image either. `encode` cuts a completion
 * into tokens for rewards that count them.
 */
export async function pairScores(
  preferences: readonly Preference[],
  score: PairScorer,
  encode: (text: string) => Int32Array,
  o: {
    readonly seed: number;
    readonly signal?: AbortSignal;
    readonly onProgress?: (done: number, total: number) => void;
  },
): Promise<readonly ScoresByPrompt[]> {
  const pairs = lengthPairs(preferences);
  const found: ScoresByPrompt[] = [];
  let done = 0;
  for (const change of PROMPTS) {
    const questions = changedQuestions(pairs, change, o.seed);
    const byReward: PairScore[][] = [];
    for (let start = 0; start < pairs.length; start += AT_ONCE) {
      o.signal?.throwIfAborted();
      const chunk = preferences.slice(start, start + AT_ONCE);
      const scored = await Promise.all(
        chunk.map(({ example, chosen, rejected }, i) => {
          const question = questions[start + i]!;
          const asked = { ...example, question, images: change === "emptied" ? [] : example.images };
          return score(asked, [completionOf(chosen, encode), completionOf(rejected, encode)]);
        }),
      );
      for (const [r, [a, b]] of scored.flatMap((rewards) => [...rewards.entries()])) {
        byReward[r] = byReward[r] ?? [];
        byReward[r].push(typeof a === "number" && typeof b === "number" ? [a, b] : null);
      }
      done += chunk.length;
      o.onProgress?.(done, PROMPTS.length * pairs.length);
    }
    for (const [r, scores] of byReward.entries()) found[r] = { ...found[r], [change]: scores };
  }
  return found;
}

/** Pairs under way together, for judges behind an endpoint. */
const AT_ONCE = 32;

function completionOf(text: string, encode: (text: string) => Int32Array): Completion {
  const tokenIds = encode(text);
  const logProbs = new Float32Array(tokenIds.length).fill(Number.NaN);
  return { text, tokenIds, logProbs, finishReason: "stop", policyVersion: 0 };
}
