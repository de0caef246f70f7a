/** Whether a recipe's rewards go by the length of completions: every reward of a stage asked about pairs. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../core/errors.ts";
import { type LengthAudit, lengthAudit, lengthPairs, type PairScorer, pairScores } from "../evaluate/index.ts";
import type { Recipe } from "../recipes/schema.ts";
import { rewardsAt, scoreGroup } from "../rewards/index.ts";
import type { PreferencePair } from "../train/pair-sources.ts";
import { openStageRewards } from "./served-rewards.ts";
import type { SourceOptions } from "./sources.ts";

export interface RewardAuditOptions extends SourceOptions {
  /** Whose rewards; null where one stage alone samples. */
  readonly stage: number | null;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** An audit of each reward and, where there are several, of their weighted sum; lengths in the model's tokens. */
export async function auditRewards(
  recipe: Recipe,
  pairs: readonly PreferencePair[],
  o: RewardAuditOptions,
): Promise<readonly LengthAudit[]> {
  const folder = mkdtempSync(join(tmpdir(), "viva-rewards-")); // a judge's replies go here
  try {
    const { rewards, tokens, close } = await openStageRewards(recipe, folder, o);
    try {
      const weighted = rewardsAt(rewards, 0);
      const hasSum = weighted.length > 1;
      const names = [...weighted.map(({ reward }) => reward.name), ...(hasSum ? ["the weighted sum"] : [])];
      const score: PairScorer = async (example, completions) => {
        const scored = await scoreGroup(weighted, example, completions);
        return [...Object.values(scored.rewards), ...(hasSum ? [scored.reward] : [])];
      };
      const found = await pairScores(pairs, score, tokens.encode, o);
      const measured = lengthPairs(pairs, (text) => tokens.encode(text).length);
      return names.map((scorer, i) => ({ scorer, measures: lengthAudit(measured, found[i]!) }));
    } finally {
      await close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Scores that stand in the rows as chosen_score and rejected_score; without any, the preferences alone. */
export function auditGivenScores(pairs: readonly PreferencePair[]): readonly LengthAudit[] {
  const scores = pairs.map((pair) => {
    const [chosen, rejected] = [givenScore(pair, "chosen_score"), givenScore(pair, "rejected_score")];
    return chosen === null || rejected === null ? null : ([chosen, rejected] as const);
  });
  const scored = scores.some((score) => score !== null);
  const measures = lengthAudit(lengthPairs(pairs), scored ? { "as it is": scores } : {});
  return [{ scorer: scored ? "scores in the rows" : "preferences alone", measures }];
}

function givenScore({ example: { id, meta } }: PreferencePair, key: string): number | null {
  const value = meta[key];
  if (value === undefined || value.trim() === "") return null;
  if (Number.isFinite(Number(value))) return Number(value);
  throw new UserError(`"${id}": ${key} must be a number, got "${value}"`);
}
