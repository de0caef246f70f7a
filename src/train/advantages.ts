/** From scored samples to a step's groups: the stage's estimator, its shaper, and its choice of completions. */
import type { CompletionTokens, ScoredGroup, TokenStep } from "../algorithms/algorithm.ts";
import { advantageEstimators, advantageShapers, selectCompletions } from "../algorithms/index.ts";
import { parseRationale } from "../answers/rationale.ts";
import type { Processor } from "../core/processor.ts";
import type { Completion, RolloutGroup, StepScore, TokenValues } from "../core/records.ts";
import { policyLength, policyMask, policyValues } from "../core/segments.ts";
import type { WeightedReward } from "../rewards/index.ts";
import type { Metrics } from "../runs/metrics.ts";
import type { ScoredSample } from "./collect.ts";
import type { StepPosition, TrainingContext } from "./context.ts";
import type { RolloutSettings } from "./settings.ts";
import { maskOf } from "./updates.ts";

export interface GroupsOfStep {
  readonly groups: readonly RolloutGroup[];
  /** What the shaper reports. */
  readonly metrics: Metrics;
}

type Reader = Pick<TrainingContext, "prompt"> & { readonly processor: Pick<Processor, "decode"> };

/**
 * Variants of one question are one group to estimator, shaper and choice, and groups of their own to all else. Completions are
 * chosen by their shaped advantages; a shaper's metrics are of all that was sampled.
 */
export function withAdvantages(
  context: Reader,
  samples: readonly ScoredSample[],
  rewards: readonly WeightedReward[],
  settings: RolloutSettings,
  { step, before = {} }: StepPosition,
): GroupsOfStep {
  const questions = byQuestion(samples);
  const weights = Object.fromEntries(rewards.map(({ reward, weight }) => [reward.name, weight]));
  const told: Metrics[] = [];
  const estimate = (groups: readonly ScoredGroup[]) => {
    const plain = advantageEstimators[settings.advantage].advantages(groups, settings, weights);
    const shaped = advantageShapers[settings.shaping].shape(groups, plain, settings, before);
    told.push(shaped.metrics ?? {});
    return shaped.advantages;
  };
  const masked = questions.map((own) => own.flatMap((sample) => maskOf(sample, settings)));
  const scored = questions.map((own) => scoredGroup(context, own));
  const { advantages, chosen } = selectCompletions(scored, masked, settings, estimate);
  const groups = questions.flatMap((own, q) => {
    let from = 0;
    return own.map(({ steps: _, ...sample }): Omit<RolloutGroup, "id"> => {
      const to = from + sample.completions.length;
      const part = <T>(values: readonly T[]) => values.slice(from, to);
      const { id: parent, variant } = sample.example;
      const group = {
        ...{ ...sample, advantages: part(advantages[q]!).map((own, i) => overAll(own, sample.completions[i]!)) },
        ...(variant === undefined ? {} : { parent, variant: variant.name }),
        ...(chosen === null ? {} : { chosen: part(chosen[q]!) }),
      };
      from = to;
      return group;
    });
  });
  // The first estimate is of all completions; another may be of those chosen.
  return { groups: groups.map((group, i) => ({ id: `${step}/${i}`, ...group })), metrics: told[0] ?? {} };
}

/** Values of the policy's tokens as those of all, 0 at what was observed. */
function overAll(advantage: TokenValues, { segments }: Completion): TokenValues {
  if (typeof advantage === "number" || segments === undefined) return advantage;
  let next = 0;
  return Float32Array.from(policyMask(segments), (counts) => (counts === 1 ? advantage[next++]! : 0));
}

/** Samples of one question in several variants stand side by side; any other is a question of its own. */
function byQuestion(samples: readonly ScoredSample[]): readonly (readonly ScoredSample[])[] {
  const questions: ScoredSample[][] = [];
  for (const sample of samples) {
    const last = questions.at(-1);
    const { id, variant } = sample.example;
    const isSame = variant !== undefined && last?.[0]?.example.id === id;
    const isAnew = last?.some(({ example }) => example.variant?.name === variant?.name);
    if (isSame && !isAnew) last.push(sample);
    else questions.push([sample]);
  }
  return questions;
}

function scoredGroup(context: Reader, own: readonly ScoredSample[]): ScoredGroup {
  const all = <T>(values: (sample: ScoredSample) => readonly T[]) => own.flatMap(values);
  const names = Object.keys(own[0]!.rewards);
  return {
    reward: all(({ reward }) => reward),
    rewards: Object.fromEntries(names.map((name) => [name, all(({ rewards }) => rewards[name]!)])),
    lengths: all(({ completions }) => completions.map(policyLength)),
    variants: all(({ completions, example }) => completions.map(() => example.variant?.name ?? "")),
    tokens: all((sample) => sample.completions.map((one, i) => tokensOf(context, sample, one, i))),
  };
}

function tokensOf(
  { processor, prompt }: Reader,
  { steps }: ScoredSample,
  completion: Completion,
  index: number,
): CompletionTokens {
  const { text, tokenIds, stats = {}, segments } = completion;
  // The text is the last turn's; before it stand those of other turns.
  const last = segments?.at(-1)?.tokens ?? tokenIds.length;
  const [before, own] = [policyLength(completion) - last, tokenIds.subarray(tokenIds.length - last)];
  const upTo = (offset: number) => before + tokensUpTo(processor, own, offset);
  const ofPolicy = Object.entries(stats).map(([name, values]) => [name, policyValues(values, segments)]);
  return {
    stats: Object.fromEntries(ofPolicy),
    rationale() {
      const found = parseRationale(text, prompt.style);
      return found === null ? [0, 0] : [upTo(found.start + 1) - 1, upTo(found.end)];
    },
    steps(reward) {
      const own: readonly StepScore[] = steps?.[reward]?.[index] ?? [];
      return own.map(({ end, score }): TokenStep => ({ end: upTo(end) - 1, score }));
    },
  };
}

/** How many tokens it takes, at least one, until the text decoded from them is as long as `offset`, in UTF-16 units. */
export function tokensUpTo(processor: Pick<Processor, "decode">, tokenIds: Int32Array, offset: number): number {
  let [low, high] = [1, tokenIds.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (processor.decode(tokenIds.subarray(0, middle)).length >= offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
