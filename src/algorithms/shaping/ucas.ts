/**
 * UCAS (code: xvolcano02/UCAS at b122ff2): a completion whose tokens were surer than its group's counts less where it was right and
 * more where it was wrong, and every token is held back by its own logit.
 */
import { oneOf } from "../../core/fields.ts";
import { meanOf } from "../../core/mean.ts";
import { standardDeviation } from "../advantages.ts";
import { defineShaper, type ScoredGroup } from "../algorithm.ts";

/** The source's values. */
const GAIN = { right: -0.25, wrong: 0.35 } as const;
const TOKEN_PENALTY = 0.05;
const EPSILON = 1e-6;

export const ucas = defineShaper({
  options: {
    certainty: oneOf("mean", "sum")
      .default("mean")
      .describe(
        "With shaping ucas: how a completion's certainty is made of its tokens'; sum is also a length penalty.",
      ),
  },
  idle: { certainty: { value: "mean", error: "must keep its default: only shaping ucas reads it" } },
  stats: ["self_certainty", "logit"],
  shape(groups, advantages, { certainty }) {
    const logits = groups.map((group) => group.tokens!.map(({ stats }) => stats.logit!));
    const shares = sharesOfRange(logits.flat());
    let next = 0;
    return {
      advantages: groups.map((group, g) => {
        const z = certaintyScores(group, certainty);
        return advantages[g]!.map((advantage, i) => {
          const share = shares[next++]!;
          return Float32Array.from(shapeTokens(advantage, z[i]!, share));
        });
      }),
    };
  },
});

/** A·exp(∓…z) less the tokens' share of the penalty; what was positive stays at least 0, and what is 0 stays 0. */
export function shapeTokens(advantage: number, z: number, share: ArrayLike<number>): number[] {
  if (advantage === 0) return new Array<number>(share.length).fill(0);
  const scaled = advantage * Math.exp((advantage > 0 ? GAIN.right : GAIN.wrong) * z);
  return Array.from(share, (own) => {
    const value = scaled - TOKEN_PENALTY * own;
    return advantage > 0 ? Math.max(0, value) : value;
  });
}

/** By completion: how much surer it was than its group, in standard deviations; completions without a reward get 0. */
export function certaintyScores({ reward, tokens }: ScoredGroup, by: "mean" | "sum"): number[] {
  const own = tokens!.map(({ stats }) => {
    const mean = meanOf(stats.self_certainty!);
    return by === "mean" ? mean : mean * stats.self_certainty!.length;
  });
  const known = own.filter((_, i) => reward[i] !== null);
  const [mean, deviation] = [meanOf(known), standardDeviation(known)];
  return own.map((value, i) => (reward[i] === null ? 0 : (value - mean) / (deviation + EPSILON)));
}

/** Each value's place between the least and the greatest of all lists, 0 to 1; 0.5 where all are equal. */
export function sharesOfRange(lists: readonly ArrayLike<number>[]): number[][] {
  let [least, greatest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const list of lists) {
    for (let i = 0; i < list.length; i++) {
      least = Math.min(least, list[i]!);
      greatest = Math.max(greatest, list[i]!);
    }
  }
  const range = greatest - least;
  return lists.map((list) => Array.from(list, (value) => (range === 0 ? 0.5 : (value - least) / (range + EPSILON))));
}
