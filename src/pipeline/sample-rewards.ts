/** What rewards would say before anything is trained: a few questions of each sampling stage, answered by the policy as it is. */
import { existsSync } from "node:fs";
import { hasZeroSpread, present, standardDeviation } from "../algorithms/advantages.ts";
import { messageOf, RunError, UserError } from "../core/errors.ts";
import { meanOf } from "../core/mean.ts";
import type { Recipe } from "../recipes/schema.ts";
import { type Generation, isPreference, isSoftQ, isSupervised, isWarmUp, needsOf } from "../recipes/stage-kinds.ts";
import { rewardsAt, type ScheduledReward, type Scores } from "../rewards/index.ts";
import { findCheckpoint } from "../runs/checkpoints.ts";
import { isRun, runPaths } from "../runs/run-folder.ts";
import type { Session } from "../session/session.ts";
import { withAdvantages } from "../train/advantages.ts";
import { watchedRewards } from "../train/alarms/index.ts";
import { isBest, stuckAdvice } from "../train/alarms/reward-stuck.ts";
import { calibrateRewards } from "../train/calibrate.ts";
import { collectWith } from "../train/collect-rollouts.ts";
import { withRanks } from "../train/pair-sources.ts";
import { type RolloutRecord, rolloutRecord } from "../train/rollout-records.ts";
import { sampleGroups, samplingOptions } from "../train/sampling.ts";
import type { RewardSamples, RewardSummary, SampledStage, SampleWarning } from "./check-schema.ts";
import { type PlannedStage, planStages } from "./planned-stages.ts";

interface SampleOptions {
  /** Questions per stage: the first that the stage would see. */
  readonly sample: number;
  /** A run (its newest checkpoint) or a checkpoint of one, in place of the recipe's own weights. */
  readonly checkpoint: string | null;
  readonly signal: AbortSignal;
}

/** UserError for a recipe without rewards to ask. */
export function requireSampling({ stages }: Recipe): void {
  if (stages.some((stage) => needsOf(stage).generation !== null)) return;
  throw new UserError("--sample: no stage of the recipe samples completions");
}

/** Samples and scores; writes nothing. UserError for a checkpoint that does not fit. */
export async function sampleRewards(session: Session, o: SampleOptions): Promise<RewardSamples> {
  const { recipe } = session;
  const sampling = planStages(recipe, session).filter(({ stage }) => needsOf(stage).generation !== null);
  const policy = await choosePolicy(recipe, session, o.checkpoint);
  const stages: SampledStage[] = [];
  for (const planned of sampling) {
    o.signal.throwIfAborted();
    stages.push(await sampleStage(recipe, session, planned, o));
  }
  return { policy, stages };
}

async function choosePolicy({ model }: Recipe, { engine }: Session, checkpoint: string | null): Promise<string> {
  if (checkpoint === null) return model.init === "random" ? "random weights" : model.path;
  const folder = await checkpointFolder(checkpoint);
  try {
    await engine.load(folder);
  } catch (cause) {
    if (cause instanceof RunError) throw cause;
    throw new UserError(`--checkpoint ${folder}: does not fit the recipe: ${messageOf(cause)}`, { cause });
  }
  return folder;
}

async function checkpointFolder(path: string): Promise<string> {
  if (!existsSync(path)) throw new UserError(`--checkpoint ${path}: there is no such run or checkpoint`);
  if (!isRun(path)) return path;
  const { checkpoint } = await findCheckpoint(runPaths(path));
  if (checkpoint === null) throw new UserError(`--checkpoint ${path}: the run has no whole checkpoint yet`);
  return checkpoint.folder;
}

/** The stage's first step, as far as its first questions: the draws are those of the run. */
async function sampleStage(
  recipe: Recipe,
  session: Session,
  { stage, index, name, start, steps }: PlannedStage,
  { sample: count, checkpoint }: SampleOptions,
): Promise<SampledStage> {
  const { engine, processor, prompt } = session;
  const rewards = session.rewards[index]!;
  const generation: Generation = needsOf(stage).generation!;
  const position = { index: 0, step: start + 1 };
  const weighted = rewardsAt(rewards, 0);
  const told: SampleWarning[] = [];
  const shared = {
    ...{ engine, processor, prompt, steps, stage: index, seed: recipe.seed, examples: session.train },
    onBadImage: recipe.data.on_bad_image,
    onSkip: (skipped: { readonly example_id: string; readonly reason: string }) => {
      told.push({ reward: null, message: `example "${skipped.example_id}" skipped`, hint: skipped.reason });
    },
    onRewardEvent: ({ event, reward, ...record }: { readonly event: string; readonly reward: string }) => {
      told.push({ reward, message: event, hint: Object.values(record).join(" ") });
    },
  };
  const context = { ...shared, collect: collectWith(shared, session.tools.stages[index]!) };
  await calibrateRewards(context, generation, rewards);
  const sampling = samplingOptions(generation, recipe.seed, position.step, needsOf(stage).tokenStats);
  const plan = { sampling, count, filter: null, paradigms: "paradigms" in stage ? stage.paradigms : null };
  const { groups: samples } = await sampleGroups(context, plan, weighted, position);
  const learnsFromPairs = isPreference(stage) || isSupervised(stage) || isWarmUp(stage) || isSoftQ(stage);
  const groups = learnsFromPairs
    ? withRanks(samples, position, isPreference(stage) ? (stage.rollouts ?? {}) : {})
    : withAdvantages(context, samples, weighted, stage, position).groups;
  const record = { step: position.step, stage: name, style: prompt.style, imageTokenId: processor.imageTokenId };
  const lines = groups.map((group) => rolloutRecord(group, { ...record, earlierUpdates: 0 }, rewards));
  const completions = lines.flatMap((line) => line.completions);
  const byName = weighted.map(({ reward, weight }) => {
    const values = completions.map((completion) => completion.rewards[reward.name] ?? null);
    return [reward.name, summarise(values, weight)] as const;
  });
  const share = (count: number, of: number) => count / Math.max(1, of);
  const stuck = [...stuckRewards(rewards, lines), ...idleGroups(lines)];
  return {
    stage: index,
    kind: stage.kind,
    summary: {
      ...Object.fromEntries(byName),
      reward: summarise(
        completions.map(({ reward }) => reward),
        null,
      ),
    },
    truncated_fraction: share(
      completions.filter(({ finish_reason }) => finish_reason === "length").length,
      completions.length,
    ),
    zero_std_fraction: share(groups.filter(({ reward }) => hasZeroSpread(reward)).length, groups.length),
    warnings: [...told, ...(index > 0 && checkpoint === null ? stuck.map(beforeTraining) : stuck)],
    groups: lines,
  };
}

/** What is stuck may come loose in the stages before, which this policy has not been through. */
function beforeTraining({ hint, ...warning }: SampleWarning): SampleWarning {
  const earlier = "The stages before this one have not run yet; once they have, look again with --checkpoint RUN.";
  return { ...warning, hint: `${earlier} If it is still so: ${hint}` };
}

function summarise(values: Scores, weight: number | null): RewardSummary {
  const known = present(values);
  const of = (statistic: (values: readonly number[]) => number) => (known.length === 0 ? null : statistic(known));
  const share = (wanted: number | null) => values.filter((value) => value === wanted).length / values.length;
  return {
    weight,
    mean: of(meanOf),
    std: of(standardDeviation),
    min: of((all) => Math.min(...all)),
    max: of((all) => Math.max(...all)),
    zero_fraction: values.length === 0 ? 0 : share(0),
    null_fraction: values.length === 0 ? 0 : share(null),
  };
}

/** Rewards that gave every completion the same, unless it was their best. */
function stuckRewards(rewards: readonly ScheduledReward[], lines: readonly RolloutRecord[]): SampleWarning[] {
  const completions = lines.flatMap((line) => line.completions);
  if (completions.length === 0) return [];
  return watchedRewards(rewards).flatMap(({ name, best }) => {
    const values = completions.map((completion) => completion.rewards[name] ?? null);
    const [first] = values as [number | null];
    if (isBest(first, best) || values.some((value) => value !== first)) return [];
    const message = `${name} is ${first} for all ${values.length} completions: it would train nothing`;
    return [{ reward: name, message, hint: stuckAdvice(first, completions) }];
  });
}

function idleGroups(lines: readonly RolloutRecord[]): SampleWarning[] {
  if (lines.some(({ completions }) => !hasZeroSpread(completions.map(({ reward }) => reward)))) return [];
  const hint =
    "Raise num_generations or temperature, or start from a policy that sometimes succeeds: a supervised stage before this one (try --checkpoint with a run that has done it), or easier questions.";
  const message = "in every group all completions earn the same: there is nothing to learn from";
  return lines.length === 0 ? [] : [{ reward: null, message, hint }];
}
