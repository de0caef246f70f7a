/** How an arm reasons at the end: lengths of right and wrong answers, what it costs, what is false, by chain length. */
import { ratioOf } from "../evaluate/index.ts";
import type { ScoredItem } from "../evaluate/run-statistics.ts";
import type { StudyArm } from "../runs/study-results.ts";
import { studyMeasures } from "./measures.ts";

/** Pooled over an arm's last evaluations of all seeds; null where no completion has a length. */
export function reasoningOf(items: readonly ScoredItem[]): StudyArm["reasoning"] {
  const lengths = (strict: 0 | 1) =>
    items.flatMap((item) => (item.strict === strict && item.tokens !== undefined ? [item.tokens] : []));
  if (items.every(({ tokens }) => tokens === undefined)) return null;
  const total = (measure: keyof typeof studyMeasures) =>
    ratioOf(items.flatMap((item) => [studyMeasures[measure].part(item)].filter((part) => part !== null)));
  return {
    right_lengths: quantilesOf(lengths(1)),
    wrong_lengths: quantilesOf(lengths(0)),
    tokens_per_right: total("tokens_per_right"),
    false_statements: total("false_statements"),
    invented_findings: total("invented_findings"),
    by_chain_length: byChainLength(items),
  };
}

/** The 10th, 25th, 50th, 75th and 90th percentile (nearest rank); null without values. */
function quantilesOf(values: readonly number[]): readonly number[] | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return [0.1, 0.25, 0.5, 0.75, 0.9].map((share) => sorted[Math.ceil(share * sorted.length) - 1]!);
}

/** Accuracy by the number of statements that the reference chain has, where the data says it (`chain_length`). */
function byChainLength(items: readonly ScoredItem[]): NonNullable<StudyArm["reasoning"]>["by_chain_length"] {
  const groups = new Map<number, number[]>();
  for (const { strata, strict } of items) {
    const statements = Number(strata["chain_length"] ?? Number.NaN);
    if (Number.isInteger(statements)) groups.set(statements, [...(groups.get(statements) ?? []), strict]);
  }
  return [...groups]
    .sort(([a], [b]) => a - b)
    .map(([statements, strict]) => ({
      statements,
      n: strict.length,
      accuracy: strict.reduce((sum, one) => sum + one, 0) / strict.length,
    }));
}
