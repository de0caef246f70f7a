/** What a run came to, in one clause: a gain is called clear only where nothing in the same record takes it back. */
import { percent } from "../core/percent.ts";
import type { PairedChange } from "../runs/statistics-records.ts";
import { points } from "./format.ts";
import { bestBaseline, type EvaluationLine, type RunRecord } from "./read-run.ts";

/** The level of the exact test. */
const LEVEL = 0.05;

/**
 * Which side of no change a paired difference is on: "" unless its interval excludes 0 and exact tests, over questions and
 * over subjects, agree. A bootstrap of few changed answers excludes 0 too easily: four questions won and none lost have
 * p 0.125, and twenty won of one patient say nothing of others.
 */
export function sideOfChange({
  difference,
  p,
  subjects_p,
}: Pick<PairedChange, "difference"> & Partial<Pick<PairedChange, "p" | "subjects_p">>) {
  if (Math.max(p ?? 0, subjects_p ?? 0) >= LEVEL) return "";
  return difference.low > 0 ? "better" : difference.high < 0 ? "worse" : "";
}

/** Judges the change from the first evaluation to the last by interval and test, the baselines and the ends of earlier stages. */
export function verdictOf(record: Pick<RunRecord, "evaluations" | "events">, change: PairedChange): string {
  const last = record.evaluations.at(-1)!;
  const side = sideOfChange(change);
  if (side === "worse") return "a clear loss";
  const doubts = [...baselineDoubt(last), ...stageDoubt(record, last)];
  if (side === "") return ["no difference that could not be chance", ...doubts].join("; ");
  return doubts.length === 0 ? "a clear gain" : `a gain, but ${doubts.join(", and ")}`;
}

/** The baseline that the last evaluation is below, or not shown to beat: the best one, else any. */
function baselineDoubt({ subsets }: EvaluationLine): readonly string[] {
  const { accuracy, baselines = {}, verdict } = subsets["overall"]!;
  const best = bestBaseline(baselines);
  const described = (name: string, value: number) => `(${name.replaceAll("_", "-")}, ${percent(value)} %)`;
  if (best !== null && accuracy.estimate < best.accuracy) {
    return [`below the best baseline ${described(best.name, best.accuracy)}`];
  }
  const isBeaten = ({ difference, mcnemar_p: p }: NonNullable<typeof baselines>[string]) => {
    return sideOfChange({ difference, ...(p === undefined ? {} : { p }) }) === "better";
  };
  if (best !== null && !isBeaten(best)) {
    return [`not clearly above the best baseline ${described(best.name, best.accuracy)}`];
  }
  const other = Object.entries(baselines).find(([, baseline]) => !isBeaten(baseline));
  if (other !== undefined) {
    const side = accuracy.estimate < other[1].accuracy ? "below" : "not clearly above";
    return [`${side} a baseline ${described(other[0], other[1].accuracy)}`];
  }
  if (verdict === undefined || verdict.verdict === "improved") return [];
  return [`not shown to beat ${verdict.against.replaceAll("_", "-")}`];
}

/** The best of the earlier stages' ends, where the last evaluation is below it. */
function stageDoubt({ evaluations, events }: Pick<RunRecord, "evaluations" | "events">, last: EvaluationLine) {
  const begun = events.flatMap(({ event, step }) =>
    event === "stage_start" && typeof step === "number" ? [step] : [],
  );
  const isEnd = ({ step, stage }: EvaluationLine, i: number) => {
    return begun.includes(step + 1) || evaluations[i + 1]?.stage !== stage; // a record can lack its events
  };
  const accuracy = ({ subsets }: EvaluationLine) => subsets["overall"]!.accuracy.estimate;
  const earlier = evaluations.filter((one, i) => one.step > 0 && one.step < last.step && isEnd(one, i));
  const best = earlier.reduce<EvaluationLine | null>((a, b) => (a === null || accuracy(b) > accuracy(a) ? b : a), null);
  if (best === null || accuracy(best) <= accuracy(last)) return [];
  const difference = accuracy(last) - accuracy(best);
  return [`${points(difference)} points against an earlier stage (${best.stage}, step ${best.step})`];
}
