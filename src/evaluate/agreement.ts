/** How far two raters agree beyond chance: a judge or a reward against people. Intervals are over subjects. */
import { type BootstrapOptions, bootstrapMean, bootstrapStatistic, type Interval } from "./bootstrap.ts";

/** One case judged by both: 1 for yes, 0 for no. */
export interface JudgedPair {
  readonly subject: string;
  /** By people. */
  readonly theirs: number;
  /** By the judge. */
  readonly own: number;
}

export interface Agreement {
  /** Cases. */
  readonly n: number;
  /** Share of cases on which both say the same. */
  readonly agreement: Interval | null;
  readonly kappa: Interval | null;
  /** Share of people's yes: kappa falls with it towards 0 and 1 at the same accuracy. */
  readonly baseRate: Interval | null;
  /** Share of people's yes that the judge calls yes; null without any. */
  readonly sensitivity: Interval | null;
  /** Share of people's no that the judge calls no; null without any. */
  readonly specificity: Interval | null;
}

/** Cohen's kappa (1960) with its interval; null where it is not defined: no pair, or both say one thing only. */
export function cohensKappa(pairs: readonly JudgedPair[], options: BootstrapOptions = {}): Interval | null {
  return bootstrapStatistic(
    pairs.map(({ subject }) => subject),
    (times) => {
      let [n, agree, own, theirs] = [0, 0, 0, 0];
      for (const [i, count] of times.entries()) {
        const pair = pairs[i]!;
        n += count;
        agree += pair.own === pair.theirs ? count : 0;
        own += count * pair.own;
        theirs += count * pair.theirs;
      }
      const chance = (own * theirs + (n - own) * (n - theirs)) / (n * n);
      return (agree / n - chance) / (1 - chance);
    },
    options,
  );
}

export function agreementOf(pairs: readonly JudgedPair[], options: BootstrapOptions = {}): Agreement {
  const share = (chosen: readonly JudgedPair[], isYes: (pair: JudgedPair) => boolean) =>
    bootstrapMean(
      chosen.map((pair) => (isYes(pair) ? 1 : 0)),
      chosen.map(({ subject }) => subject),
      options,
    );
  return {
    n: pairs.length,
    agreement: share(pairs, ({ own, theirs }) => own === theirs),
    kappa: cohensKappa(pairs, options),
    baseRate: share(pairs, ({ theirs }) => theirs === 1),
    sensitivity: share(
      pairs.filter(({ theirs }) => theirs === 1),
      ({ own }) => own === 1,
    ),
    specificity: share(
      pairs.filter(({ theirs }) => theirs === 0),
      ({ own }) => own === 0,
    ),
  };
}
