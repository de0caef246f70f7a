/** Which completions of a group are trained on: more are sampled than trained on, and those chosen that teach most. */
import { nameIn, oneOf, whole } from "../core/fields.ts";
import { meanOf } from "../core/mean.ts";
import type { TokenValues } from "../core/records.ts";
import type { OptionValues, ScoredGroup, StagePart } from "./algorithm.ts";

/** A completion that may be trained on. */
interface Candidate {
  readonly reward: number;
  readonly advantage: TokenValues;
}

interface Selection {
  /** Whose rewards advantages are relative to, as its source has it. */
  readonly advantages: "chosen" | "all";
  /** Indices of `count` of the candidates, of which there are more. */
  choose(candidates: readonly Candidate[], count: number): readonly number[];
}

const selections = {
  /** PODS (arXiv 2504.13818). */
  max_variance: {
    advantages: "chosen",
    choose: (candidates, count) =>
      maxVarianceSubset(
        candidates.map(({ reward }) => reward),
        count,
      ),
  },
  /** CPPO (arXiv 2503.22342). */
  max_advantage: { advantages: "all", choose: largestAdvantages },
} as const satisfies Readonly<Record<string, Selection>>;

const DEFAULT_SELECTION = "max_variance";

const options = {
  train_completions: whole({ min: 1 })
    .nullable()
    .default(null)
    .describe("Completions of each group that are trained on, chosen by train_selection; null: all."),
  train_selection: nameIn(selections)
    .default(DEFAULT_SELECTION)
    .describe("What is chosen: the largest variance of rewards (PODS), or the largest absolute advantages (CPPO)."),
  train_advantages: oneOf("chosen", "all")
    .nullable()
    .default(null)
    .describe("Whose rewards advantages are relative to; null: chosen with max_variance, all with max_advantage."),
};

export type SelectionOptions = OptionValues<typeof options>;

export const completionSelection: StagePart<typeof options> = {
  options,
  check(o) {
    if (o.train_completions === null) {
      const error = "acts only beside train_completions";
      if (o.train_selection !== DEFAULT_SELECTION) return { key: "train_selection", error };
      return o.train_advantages === null ? null : { key: "train_advantages", error };
    }
    if (o.train_completions > 1 || advantagesOf(o) === "all") return null;
    return {
      key: "train_completions",
      error: "must be at least 2 where train_advantages is chosen: a completion by itself has no advantage",
    };
  },
};

/** Advantages of all completions, and which are trained on; null where all are. */
export interface SelectedCompletions {
  /** 0 for what was left out before advantages were computed. */
  readonly advantages: readonly (readonly TokenValues[])[];
  readonly chosen: readonly (readonly boolean[])[] | null;
}

/**
 * Chooses `train_completions` of each group among those that have a reward and are not excluded, or all of these where they
 * are fewer. `estimate` gives the advantages of groups, the whole batch in view.
 */
export function selectCompletions(
  groups: readonly ScoredGroup[],
  excluded: readonly (readonly boolean[])[],
  o: SelectionOptions,
  estimate: (groups: readonly ScoredGroup[]) => readonly (readonly TokenValues[])[],
): SelectedCompletions {
  const count = o.train_completions;
  const all = estimate(groups);
  if (count === null) return { advantages: all, chosen: null };
  const chosen = groups.map(({ reward }, g) => {
    const open = reward.flatMap((value, i) => {
      return value === null || excluded[g]![i] ? [] : [{ reward: value, advantage: all[g]![i]!, index: i }];
    });
    const own = open.length <= count ? open.keys() : selections[o.train_selection].choose(open, count);
    return [...own].map((i) => open[i]!.index).sort((a, b) => a - b);
  });
  const isChosen = groups.map(({ reward }, g) => reward.map((_, i) => chosen[g]!.includes(i)));
  if (advantagesOf(o) === "all") return { advantages: all, chosen: isChosen };
  const own = estimate(groups.map((group, g) => partOf(group, chosen[g]!)));
  const advantages = groups.map(({ reward }, g) =>
    reward.map((_, i) => (isChosen[g]![i] ? own[g]![chosen[g]!.indexOf(i)]! : 0)),
  );
  return { advantages, chosen: isChosen };
}

function advantagesOf({ train_advantages, train_selection }: SelectionOptions): "chosen" | "all" {
  return train_advantages ?? selections[train_selection].advantages;
}

function partOf({ reward, rewards, lengths, tokens, variants }: ScoredGroup, indices: readonly number[]): ScoredGroup {
  return {
    reward: indices.map((i) => reward[i]!),
    rewards: Object.fromEntries(Object.entries(rewards).map(([name, of]) => [name, indices.map((i) => of[i]!)])),
    lengths: indices.map((i) => lengths[i]!),
    ...(variants === undefined ? {} : { variants: indices.map((i) => variants[i]!) }),
    ...(tokens === undefined ? {} : { tokens: indices.map((i) => tokens[i]!) }),
  };
}

/**
 * Indices of `count` values whose variance is the largest of all such subsets: the highest and the lowest, as many of each
 * as is best (PODS). Of equal variances the one with more of the highest, of equal values those that come first among the
 * highest and last among the lowest. O(n log n).
 */
export function maxVarianceSubset(values: readonly number[], count: number): number[] {
  const order = [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b);
  // Sums of values around one of them: large ones that differ little keep their digits.
  const centred = order.map((i) => values[i]! - values[order[0]!]!);
  let sum = 0;
  let squares = 0;
  for (const value of centred.slice(0, count)) {
    sum += value;
    squares += value * value;
  }
  let best = { highest: count, variance: squares - (sum * sum) / count };
  for (let highest = count - 1; highest >= 0; highest--) {
    const [out, into] = [centred[highest]!, centred[order.length - count + highest]!];
    sum += into - out;
    squares += into * into - out * out;
    const variance = squares - (sum * sum) / count;
    if (variance > best.variance) best = { highest, variance };
  }
  return [...order.slice(0, best.highest), ...order.slice(order.length - (count - best.highest))];
}

/** By absolute value, of tokens' own by its mean; of equal ones those that come first. */
function largestAdvantages(candidates: readonly Candidate[], count: number): number[] {
  const size = (i: number) => {
    const { advantage } = candidates[i]!;
    return typeof advantage === "number" ? Math.abs(advantage) : meanOf(advantage.map(Math.abs));
  };
  return [...candidates.keys()].sort((a, b) => size(b) - size(a) || a - b).slice(0, count);
}
