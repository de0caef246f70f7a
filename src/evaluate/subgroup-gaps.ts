/** Gaps between groups of subjects in yes/no questions: who is called positive, and who is found (XAI4LLM, arXiv 2405.06270). */
import { normalise } from "../answers/normalise.ts";
import type { Example } from "../core/records.ts";
import type { Interval, SubgroupFigures } from "../runs/statistics-records.ts";
import { bootstrapStatistic, RESAMPLES } from "./bootstrap.ts";
import { type SubgroupGaps, subgroupGaps } from "./metrics/subgroups.ts";

const GAPS = [
  "disparate_impact",
  "parity_difference",
  "opportunity_difference",
  "odds_difference",
] as const satisfies readonly (keyof SubgroupGaps)[];

/**
 * Gaps of each value of the strata against the rest, of two values the rarer one. `yes` is the model's probability of yes in
 * the examples' order, null for an answer that is neither and counts as no. Empty without yes/no questions of such strata.
 */
export function subgroupFigures(
  examples: readonly Example[],
  yes: readonly (number | null)[],
  strata: readonly string[],
): readonly SubgroupFigures[] {
  return strata.flatMap((stratum) => {
    const asked = examples.flatMap(({ answerType, answer, meta, subjectId }, i) => {
      const reference = normalise(answer);
      const value = meta[stratum];
      const known = answerType === "closed" && ["yes", "no"].includes(reference) && value !== undefined && value !== "";
      return known
        ? [{ subject: subjectId, target: Number(reference === "yes"), score: yes[i] ?? 0, value: value! }]
        : [];
    });
    return groupsOf(asked.map(({ value }) => value)).map((value): SubgroupFigures => {
      const inGroup = asked.map((one) => one.value === value);
      const targets = asked.map(({ target }) => target);
      const scores = asked.map(({ score }) => score);
      const subjects = asked.map(({ subject }) => subject);
      const gaps = subgroupGaps(targets, scores, inGroup);
      const interval = (gap: (typeof GAPS)[number]) =>
        bootstrapStatistic(subjects, (times) => gaps(times)[gap], { resamples: RESAMPLES.report });
      const n = inGroup.filter((own) => own).length;
      const of = Object.fromEntries(GAPS.map((gap) => [gap, interval(gap)])) as Record<
        (typeof GAPS)[number],
        Interval | null
      >;
      return { stratum, value, n, rest: asked.length - n, ...of };
    });
  });
}

/** The values to compare with the rest, sorted; one of two would say the same as the other. */
function groupsOf(values: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const sorted = [...counts].sort(([a, n], [b, m]) => n - m || (a < b ? -1 : 1)).map(([value]) => value);
  if (sorted.length < 2 || sorted.length > MAX_GROUPS) return [];
  return sorted.length === 2 ? sorted.slice(0, 1) : sorted.sort();
}

const MAX_GROUPS = 12;
