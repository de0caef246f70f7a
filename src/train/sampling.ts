/** Collects the groups of a step; with `filter_groups`, fresh prompts take the place of groups without reward variance. */
import { hasZeroSpread } from "../algorithms/advantages.ts";
import { randomKey, uint32 } from "../core/random.ts";
import type { Example, SamplingOptions, TokenStat } from "../core/records.ts";
import type { WeightedReward } from "../rewards/index.ts";
import type { Metrics } from "../runs/metrics.ts";
import { batchAt, freshExamples } from "./batches.ts";
import type { ScoredSample } from "./collect.ts";
import type { StepPosition, TrainingContext } from "./context.ts";
import { openRewardLog } from "./reward-log.ts";
import type { GenerationSettings, RolloutSettings } from "./settings.ts";

/** `stats` are told of tokens beside their entropy. */
export function samplingOptions(
  settings: GenerationSettings,
  seed: number,
  step: number,
  stats: readonly TokenStat[] = [],
): SamplingOptions {
  return {
    numGenerations: settings.num_generations,
    maxCompletionLength: settings.max_completion_length,
    temperature: settings.temperature,
    topP: settings.top_p,
    topK: settings.top_k,
    seed,
    step,
    trainsNext: true,
    tokenStats: [...new Set<TokenStat>(["entropy", ...stats])],
  };
}

export interface Sampling {
  /** In the order of their prompts; a replacement stands where the group it replaced stood. */
  readonly groups: readonly ScoredSample[];
  /** Groups that were sampled and left out. */
  readonly filtered: readonly ScoredSample[];
  readonly seconds: { readonly sample: number; readonly reward: number };
  /** What rewards counted beside their scores: failures of a scorer, replies that could not be read. */
  readonly counts: Metrics;
}

interface SamplingPlan {
  readonly sampling: SamplingOptions;
  /** Prompts. */
  readonly count: number;
  readonly filter: RolloutSettings["filter_groups"];
  /** Ways in which each question is put. */
  readonly paradigms?: RolloutSettings["paradigms"];
}

/**
 * The groups of a step. With a filter, each group whose metric is the same for all completions is replaced, in at most
 * `max_resample` rounds; those left after the last round stay. Prompts and draws are functions of seed, stage, step and round.
 */
export async function sampleGroups(
  context: TrainingContext,
  { sampling, count, filter, paradigms = null }: SamplingPlan,
  rewards: readonly WeightedReward[],
  { index, step }: StepPosition,
): Promise<Sampling> {
  const seconds = { sample: 0, reward: 0 };
  const log = openRewardLog();
  const sample = async (examples: readonly Example[], o: SamplingOptions): Promise<readonly ScoredSample[]> => {
    const collected = await context.collect(inVariants(examples, paradigms), { sampling: o, rewards, log });
    seconds.sample += collected.seconds.sample;
    seconds.reward += collected.seconds.reward;
    return collected.samples;
  };
  const examples = batchAt(context.examples, { ...context, step: index, count });
  const used = new Set(examples.map(({ id }) => id));
  let groups = await sample(examples, sampling);
  const filtered: ScoredSample[] = [];
  for (let round = 1; filter !== null && round <= filter.max_resample; round++) {
    const idle = groups.filter((group) => isDegenerate(group, filter.metric));
    if (idle.length === 0) break;
    const fresh = freshExamples(context.examples, { ...context, step: index, round, count: idle.length, used });
    if (fresh.length === 0) break;
    for (const { id } of fresh) used.add(id);
    const seed = uint32(randomKey(context.seed, "resample", round), 0);
    const replacements = [...(await sample(fresh, { ...sampling, seed, step }))];
    const replaced = new Set(idle.slice(0, replacements.length));
    filtered.push(...replaced);
    groups = groups.map((group) => (replaced.has(group) ? replacements.shift()! : group));
  }
  for (const record of log.events()) context.onRewardEvent?.(record);
  return { groups, filtered, seconds, counts: log.counts() };
}

/** Every example in each of the ways, one after the other. */
export function inVariants(examples: readonly Example[], paradigms: RolloutSettings["paradigms"]): readonly Example[] {
  if (paradigms === null) return examples;
  const variants = Object.entries(paradigms).map(([name, instruction]) => ({ name, instruction }));
  return examples.flatMap((example) => variants.map((variant) => ({ ...example, variant })));
}

/** By the weighted sum ("reward") or by one reward. */
function isDegenerate({ reward, rewards }: ScoredSample, metric: string): boolean {
  return hasZeroSpread(metric === "reward" ? reward : rewards[metric]!);
}
