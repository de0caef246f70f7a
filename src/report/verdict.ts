/** What a run came to, in one clause: a gain is called clear only where nothing in the same record takes it back. */
import { percent } from "../core/percent.ts";
import type { PairedChange } from "../runs/statistics-records.ts";
import { points } from "./format.ts";
import { bestBaseline, type EvaluationLine, type RunRecord } from "./read-run.ts";

/** Judges the change from the first evaluation to the last by its interval, the best baseline and the ends of earlier stages. */
export function verdictOf(record: Pick<RunRecord, "evaluations" | "events">, { difference }: PairedChange): string {
  const last = record.evaluations.at(-1)!;
  if (difference.high < 0) return "a clear loss";
  const doubts = [...baselineDoubt(last), ...stageDoubt(record, last)];
  if (difference.low <= 0) return ["no difference that could not be chance", ...doubts].join("; ");
  return doubts.length === 0 ? "a clear gain" : `a gain, but ${doubts.join(", and ")}`;
}

function baselineDoubt({ subsets }: EvaluationLine): readonly string[] {
  const { accuracy, baselines = {} } = subsets["overall"]!;
  const best = bestBaseline(baselines);
  if (best === null) return [];
  const of = `the best baseline (${best.name}, ${percent(best.accuracy)} %)`;
  if (accuracy.estimate < best.accuracy) return [`below ${of}`];
  return best.difference.low > 0 ? [] : [`not clearly above ${of}`];
}

/** The best of the earlier stages' ends, where the last evaluation is below it. */
function stageDoubt({ evaluations, events }: Pick<RunRecord, "evaluations" | "events">, last: EvaluationLine) {
  const ends = new Set(
    events.flatMap(({ event, step }) => (event === "stage_start" && typeof step === "number" ? [step - 1] : [])),
  );
  const accuracy = ({ subsets }: EvaluationLine) => subsets["overall"]!.accuracy.estimate;
  const earlier = evaluations.filter(({ step }) => step > 0 && step < last.step && ends.has(step));
  const best = earlier.reduce<EvaluationLine | null>((a, b) => (a === null || accuracy(b) > accuracy(a) ? b : a), null);
  if (best === null || accuracy(best) <= accuracy(last)) return [];
  const difference = accuracy(last) - accuracy(best);
  return [`${points(difference)} points against an earlier stage (${best.stage}, step ${best.step})`];
}
