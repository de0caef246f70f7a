/** Several answers to each question: the chance that one of k is right, and whether the most frequent of k is. */
import { answerKey } from "../answers/answer-key.ts";
import { normalise } from "../answers/normalise.ts";
import type { Example } from "../core/records.ts";
import type { Answers } from "./answers.ts";
import { bootstrapMeans, type Interval } from "./bootstrap.ts";
import { majorityIndex, passAtK } from "./metrics/sampled.ts";
import type { ProtocolName } from "./names.ts";
import { protocols } from "./protocols/index.ts";

export interface SampledSummary {
  /** Answers per question. */
  readonly generations: number;
  /**
   * By k: 1, 2, 4, … and all. Strict accuracy; the majority is over the first k answers, of which unparsable ones do
   * not vote.
   */
  readonly at_k: Readonly<Record<string, { readonly pass: Interval; readonly majority: Interval }>>;
}

/** Null if questions were answered once. k goes up to the smallest number of answers per question. */
export function summariseSampled(
  examples: readonly Example[],
  { predictions, style, thinkOpened }: Answers,
  protocol: ProtocolName,
): SampledSummary | null {
  const generations = predictions.reduce((least, { length }) => Math.min(least, length), Number.POSITIVE_INFINITY);
  if (!Number.isFinite(generations) || generations < 2) return null;
  const verdicts = examples.map((example, i) =>
    predictions[i]!.map(({ text }) => protocols[protocol].strict(example, text, style, thinkOpened)),
  );
  const right = verdicts.map((row) => row.filter(({ correct }) => correct).length);
  const voteOf = (example: Example, text: string) => answerKey(example, text) ?? normalise(text);
  const votes = verdicts.map((row, i) =>
    row.map(({ answer, parseFailure }) => (answer === null || parseFailure ? null : voteOf(examples[i]!, answer.text))),
  );
  const ks = Array.from({ length: Math.ceil(Math.log2(generations)) }, (_, power) => 2 ** power).concat(generations);
  const columns = ks.flatMap((k) => [
    verdicts.map((row, i) => passAtK(row.length, right[i]!, k)),
    verdicts.map((row, i) => (row[majorityIndex(votes[i]!, k) ?? -1]?.correct ? 1 : 0)),
  ]);
  const subjects = examples.map(({ subjectId }) => subjectId);
  const intervals = bootstrapMeans(columns, subjects);
  const at = ks.map((k, i) => [k, { pass: intervals[2 * i]!, majority: intervals[2 * i + 1]! }] as const);
  return { generations, at_k: Object.fromEntries(at) };
}
