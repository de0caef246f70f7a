/**
 * A recipe's rewards for completions that another program sampled. Nothing of the recipe's data is read and no weights are
 * loaded; its model's files say how completions begin and what their tokens are.
 */
import { promptStyle } from "../answers/prompts.ts";
import { RunError, UserError } from "../core/errors.ts";
import type { Evidence } from "../core/records.ts";
import { loadTokenizer } from "../io/tokenizer.ts";
import { companionFolder } from "../models/companions.ts";
import { openProcessor } from "../models/index.ts";
import type { Recipe } from "../recipes/schema.ts";
import { needsOf } from "../recipes/stage-kinds.ts";
import { type RewardLog, rewardsAt, type ScheduledReward, scoreGroup, type WeightedReward } from "../rewards/index.ts";
import { adapterOf, locateModelFolder } from "./model-folder.ts";
import { type GivenRow, type RewardRow, type RowTokens, readRewardRow } from "./reward-rows.ts";
import { openRewards } from "./reward-services.ts";
import { opensThoughts } from "./session.ts";
import type { SourceOptions } from "./sources.ts";

/** What the rewards say of one completion. */
export interface ScoredRow {
  /** The weighted sum; null where every reward was. */
  readonly reward: number | null;
  /** By reward, unweighted; null where one does not apply. */
  readonly components: Readonly<Record<string, number | null>>;
  /** UTF-16 offsets in the completion. */
  readonly evidence: readonly Evidence[];
}

export interface ScoredRows {
  readonly rows: readonly ScoredRow[];
  /** What rewards counted, as `reward/<name>/asked`. */
  readonly counts: Readonly<Record<string, number>>;
}

export interface ServedRewards {
  /** What is served, for people and programs that ask. */
  readonly about: Readonly<Record<string, unknown>>;
  /**
   * Scores rows of any number of groups, in their order. `step` is the trainer's, from 0; null where it gave none. Throws
   * UserError for rows that cannot be scored, RunError where a reward failed.
   */
  score(rows: readonly GivenRow[], step: number | null): Promise<ScoredRows>;
  close(): Promise<void>;
}

/** Opens the rewards of a stage; `stage` may be null where one stage alone samples. Judges' replies go to `folder`. */
export async function openServedRewards(
  recipe: Recipe,
  folder: string,
  o: SourceOptions & { readonly stage: number | null },
): Promise<ServedRewards> {
  const { rewards, tokens, stage, style, thinkOpened, close } = await openStageRewards(recipe, folder, o);
  return {
    about: {
      recipe: recipe.name,
      stage,
      style,
      think_opened: thinkOpened,
      rewards: rewards.map(({ reward: { name, range = null, comparesGroup = false }, weight }) => {
        return { name, weight, range, compares_group: comparesGroup };
      }),
    },
    score: (given, step) => {
      const rows = given.map((row, i) => readRewardRow(row, `rows[${i}]`, tokens));
      return scoreRows(rows, weightedAt(rewards, step));
    },
    close,
  };
}

/** The rewards of one stage, and how completions of its model begin and are cut into tokens. */
export async function openStageRewards(
  recipe: Recipe,
  folder: string,
  o: SourceOptions & { readonly stage: number | null },
) {
  const stage = recipe.stages[chosenStage(recipe, o.stage)]!;
  const { tokens, processor } = await openModelFiles(recipe, o);
  const prompt = typeof recipe.prompt === "string" ? promptStyle(recipe.prompt) : recipe.prompt;
  const thinkOpened = await opensThoughts(processor, prompt);
  const opened = await openRewards({ ...recipe, stages: [stage] }, { style: prompt.style, thinkOpened }, folder);
  const { style } = prompt;
  return { rewards: opened.rewards[0]!, tokens, stage: stage.kind, style, thinkOpened, close: opened.close };
}

function chosenStage(recipe: Recipe, asked: number | null): number {
  const sampling = recipe.stages.flatMap((stage, i) => (needsOf(stage).generation === null ? [] : [i]));
  if (sampling.length === 0) throw new UserError(`${recipe.name}: no stage of the recipe samples, so none has rewards`);
  const list = `stages with rewards: ${sampling.join(", ")}`;
  if (asked === null && sampling.length > 1) throw new UserError(`--stage: say whose rewards; ${list}`);
  const chosen = asked ?? sampling[0]!;
  if (!sampling.includes(chosen)) throw new UserError(`--stage ${chosen}: that stage has no rewards; ${list}`);
  return chosen;
}

async function openModelFiles({ model: { path, revision } }: Recipe, o: SourceOptions) {
  const { folder } = await locateModelFolder(path, { ...o, key: "model.path", revision, weights: false });
  const base = (await adapterOf(folder, o))?.base ?? folder;
  const files = companionFolder(folder, base);
  const processor = await openProcessor(base, {}, files);
  const tokens: RowTokens = { encode: loadTokenizer(files).encode, stopTokenIds: processor.stopTokenIds };
  return { processor, tokens };
}

function weightedAt(rewards: readonly ScheduledReward[], step: number | null): readonly WeightedReward[] {
  const moving = rewards.find(({ weight }) => typeof weight !== "number");
  if (step !== null || moving === undefined) return rewardsAt(rewards, step ?? 0);
  throw new UserError(`step is needed: the weight of reward "${moving.reward.name}" moves with the step`);
}

async function scoreRows(rows: readonly RewardRow[], weighted: readonly WeightedReward[]): Promise<ScoredRows> {
  const groups = new Map<string, number[]>();
  for (const [i, { group, identity }] of rows.entries()) {
    const members = groups.get(group) ?? [];
    const first = rows[members[0] ?? i]!;
    if (first.identity !== identity) {
      throw new UserError(`rows[${i}]: has the id or group of rows[${members[0]}], and another question or answer`);
    }
    members.push(i);
    groups.set(group, members);
  }
  requireGroups([...groups.values()], rows, weighted);
  const log = openLog();
  const scored: ScoredRow[] = [];
  const scoring = [...groups.values()].map(async (members) => {
    const { example } = rows[members[0]!]!;
    const completions = members.map((i) => rows[i]!.completion);
    const { rewards, reward } = await scoreGroup(weighted, example, completions, log.of);
    const found = weighted.map(({ reward }) => reward.evidence?.(example, completions) ?? []);
    for (const [k, i] of members.entries()) {
      scored[i] = {
        reward: reward[k]!,
        components: Object.fromEntries(Object.entries(rewards).map(([name, scores]) => [name, scores[k]!])),
        evidence: found.flatMap((byCompletion) => byCompletion[k] ?? []),
      };
    }
  });
  await Promise.all(scoring);
  log.requireAll();
  return { rows: scored, counts: log.counts };
}

/** A completion alone would earn a 0 that says nothing from a reward that compares. */
function requireGroups(groups: readonly number[][], rows: readonly RewardRow[], weighted: readonly WeightedReward[]) {
  const comparing = weighted.find(({ reward }) => reward.comparesGroup === true);
  if (comparing === undefined) return;
  const alone = groups.find((members) => members.length < 2 || !rows[members[0]!]!.isGrouped);
  if (alone === undefined) return;
  throw new UserError(
    `rows[${alone[0]}]: reward "${comparing.reward.name}" compares the completions of a question: send all of them together, with the same "id" or "group"`,
  );
}

/** What a recipe lets pass as null because a scorer failed (on_failure: skip) is an error to a trainer elsewhere. */
function openLog() {
  const counts: Record<string, number> = {};
  const failed: string[] = [];
  const reasons: string[] = [];
  const of = (reward: string): RewardLog => ({
    count(what) {
      const key = `reward/${reward}/${what}`;
      counts[key] = (counts[key] ?? 0) + 1;
      if (what === "failed") failed.push(reward);
    },
    event({ event, message = event }) {
      reasons.push(String(message));
    },
  });
  const requireAll = () => {
    if (failed.length === 0) return;
    throw new RunError(`reward "${failed[0]}" failed for ${failed.length} completions: ${reasons[0] ?? "no reason"}`);
  };
  return { counts, of, requireAll };
}
