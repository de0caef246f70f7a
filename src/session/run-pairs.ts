/** Preference pairs from a run's own rollouts: of each group the two completions furthest apart by a reward. */

import { opensThought, type PromptStyle, promptStyle } from "../answers/prompts.ts";
import { UserError } from "../core/errors.ts";
import type { Completion } from "../core/records.ts";
import { loadRecipe } from "../recipes/load.ts";
import { buildRewards, type Reward, rewards, type Scores } from "../rewards/index.ts";
import { scanJsonl } from "../runs/jsonl.ts";
import { requireRun, runPaths, sidecarPath } from "../runs/run-folder.ts";
import { preferredPair } from "../train/preferred-pair.ts";
import type { RolloutRecord, TokenRecord } from "../train/rollout-records.ts";
import { trainingExamples } from "./examples.ts";
import { openRewardServices, openVocabulary } from "./reward-services.ts";

/** A row of a file of pairs; images by the names in the run's record. */
export interface PairRow {
  readonly id: string;
  readonly images: readonly string[];
  readonly question: string;
  readonly answer: string;
  readonly answer_type: string;
  readonly choices?: readonly string[];
  readonly subject: string;
  readonly chosen: string;
  readonly rejected: string;
  /** How much more the chosen one scored. */
  readonly gap: number;
}

export interface RunPairs {
  readonly rows: readonly PairRow[];
  readonly groups: number;
  /** Groups without a pair, by reason. */
  readonly left: Readonly<Record<"tied" | "below_gap" | "worse_answer", number>>;
}

/**
 * The pairs of a run by `by`: "reward", the sum that it trained on, the name of a reward in its record, or one that viva has, with
 * its defaults, which then scores the texts anew. A chosen answer is never worse than the rejected one by the accuracy on record.
 * UserError for a folder that is no run, one without rollouts, and a name that is neither.
 */
export async function pairsOfRun(
  folder: string,
  { by, minGap }: { readonly by: string; readonly minGap: number },
): Promise<RunPairs> {
  requireRun(folder);
  const score = await scorerOf(folder, by);
  const left = { tied: 0, below_gap: 0, worse_answer: 0 };
  const rows: PairRow[] = [];
  let groups = 0;
  try {
    for (const group of scanJsonl<RolloutRecord>(runPaths(folder).rollouts)) {
      groups++;
      const row = pairOf(group, await score.of(group), minGap);
      if (typeof row === "string") left[row]++;
      else rows.push(row);
    }
  } finally {
    await score.close();
  }
  if (groups === 0) throw new UserError(`${folder} has no rollouts: none of its stages samples completions`);
  return { rows, groups, left };
}

function pairOf(group: RolloutRecord, scores: Scores, minGap: number): PairRow | keyof RunPairs["left"] {
  // A blank text cannot be learned from.
  const known = scores.map((score, i) => (group.completions[i]!.text.trim() === "" ? null : score));
  const right = group.completions.map(({ rewards }) => rewards["accuracy"] ?? null);
  const pair = preferredPair(known, { minGap, right });
  if (pair === null) {
    if (preferredPair(known, { minGap: 0 }) === null) return "tied";
    return preferredPair(known, { minGap }) === null ? "below_gap" : "worse_answer";
  }
  const [chosen, rejected] = [group.completions[pair.chosen]!, group.completions[pair.rejected]!];
  if (chosen.text === rejected.text) return "tied";
  const { id, question, answer, answer_type, choices, subject_id } = group;
  return {
    id,
    images: group.images.map(({ path }) => path),
    ...{ question, answer, answer_type, subject: subject_id },
    ...(choices.length === 0 ? {} : { choices }),
    chosen: chosen.text,
    rejected: rejected.text,
    gap: scores[pair.chosen]! - scores[pair.rejected]!,
  };
}

interface GroupScorer {
  of(group: RolloutRecord): Promise<Scores>;
  close(): Promise<void>;
}

/** From the record where it has the reward, else by scoring anew. */
async function scorerOf(folder: string, by: string): Promise<GroupScorer> {
  const [first] = scanJsonl<RolloutRecord>(runPaths(folder).rollouts);
  const recorded = Object.keys(first?.completions[0]?.rewards ?? {});
  const close = async () => {};
  if (by === "reward") return { of: async ({ completions }) => completions.map(({ reward }) => reward), close };
  if (recorded.includes(by)) {
    return { of: async ({ completions }) => completions.map(({ rewards }) => rewards[by] ?? null), close };
  }
  if (!Object.hasOwn(rewards, by)) {
    const known = ["reward", ...recorded].join(", ");
    throw new UserError(`--by ${by}: the run recorded ${known}, and viva has no reward of this name`);
  }
  return scoreAnew(folder, by, first?.prompt ?? "");
}

async function scoreAnew(folder: string, by: string, prompt: string): Promise<GroupScorer> {
  const { recipe } = loadRecipe(runPaths(folder).recipe);
  const style: PromptStyle = typeof recipe.prompt === "string" ? promptStyle(recipe.prompt) : recipe.prompt;
  const services = openRewardServices(folder);
  const context = { style: style.style, thinkOpened: opensThought(prompt), services };
  const vocabulary = openVocabulary(recipe.vocabulary);
  const [built] = await buildRewards({ [by]: 1 }, { ...context, vocabulary });
  const reward: Reward = built!.reward;
  const tokensOf = tokenReader(folder);
  const examples = new Map((await trainingExamples(recipe)).map((example) => [example.id, example]));
  return {
    async of(group) {
      const example = examples.get(group.example_id);
      if (example === undefined)
        throw new UserError(`${folder}: example "${group.example_id}" is not in data.train any more`);
      const tokens = tokensOf(group);
      const completions = group.completions.map((completion, i) => completionOf(completion, tokens[i]));
      return reward.score(example, completions);
    },
    close: () => services.close(),
  };
}

/** Tokens of a group's completions, from the file of its step; none where that file is gone. */
function tokenReader(folder: string): (group: RolloutRecord) => readonly Int32Array[] {
  let read = { step: -1, groups: new Map<string, readonly Int32Array[]>() };
  return ({ id, step }) => {
    if (read.step !== step) {
      const rows = scanJsonl<TokenRecord>(sidecarPath(runPaths(folder), step));
      const groups = [...rows].map((row) => {
        return [row.id, row.completions.map(({ token_ids }) => Int32Array.from(token_ids))] as const;
      });
      read = { step, groups: new Map(groups) };
    }
    return read.groups.get(id) ?? [];
  };
}

/** As far as the record tells. */
function completionOf(
  { text, tokens, finish_reason }: RolloutRecord["completions"][number],
  tokenIds: Int32Array = new Int32Array(tokens),
): Completion {
  return { text, tokenIds, logProbs: new Float32Array(tokens), finishReason: finish_reason, policyVersion: 0 };
}
