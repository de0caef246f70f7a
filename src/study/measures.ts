/** What predictions may be about, and arms differ in: ratios of totals over the questions of an arm's last evaluations. */
import type { Part } from "../evaluate/index.ts";
import type { ScoredItem } from "../evaluate/run-statistics.ts";

interface Measure {
  readonly about: string;
  readonly unit: "share" | "tokens";
  /** Which way is an improvement; null where neither is. */
  readonly better: "higher" | "lower" | null;
  /** What a question adds; null where its record lacks what is needed. */
  readonly part: (item: ScoredItem) => Part | null;
}

const share = (value: number | undefined): Part | null => (value === undefined ? null : [value, 1]);
const tokensIf = (item: ScoredItem, counts: boolean): Part | null => {
  if (item.tokens === undefined) return null;
  return counts ? [item.tokens, 1] : [0, 0];
};

export const studyMeasures = {
  accuracy: { about: "strict accuracy", unit: "share", better: "higher", part: ({ strict }) => [strict, 1] },
  lenient_accuracy: {
    ...{ about: "accuracy of leniently read answers", unit: "share", better: "higher" },
    part: ({ lenient }) => share(lenient),
  },
  token_f1: {
    ...{ about: "token F1 of the answer", unit: "share", better: "higher" },
    part: (item) => share(item.token_f1),
  },
  parse_failures: {
    ...{ about: "share of completions without an answer that can be read", unit: "share", better: "lower" },
    part: ({ parse_failure: failed }) => share(failed === undefined ? undefined : Number(failed)),
  },
  length: { about: "tokens of a completion", unit: "tokens", better: null, part: (item) => tokensIf(item, true) },
  right_length: {
    about: "tokens of a right answer",
    unit: "tokens",
    better: null,
    part: (item) => tokensIf(item, item.strict === 1),
  },
  wrong_length: {
    about: "tokens of a wrong answer",
    unit: "tokens",
    better: null,
    part: (item) => tokensIf(item, item.strict === 0),
  },
  tokens_per_right: {
    about: "tokens of all completions for each right answer",
    unit: "tokens",
    better: "lower",
    part: ({ tokens, strict }) => (tokens === undefined ? null : [tokens, strict]),
  },
  false_statements: {
    about: "share of the statements decided by the facts that are false",
    unit: "share",
    better: "lower",
    part: ({ statements: said }) => (said === undefined ? null : [said.wrong, said.right + said.wrong]),
  },
  invented_findings: {
    about: "share of asserted findings that are not there",
    unit: "share",
    better: "lower",
    part: ({ statements: said }) => (said === undefined ? null : [said.invented, said.asserted]),
  },
} as const satisfies Readonly<Record<string, Measure>>;

export type MeasureName = keyof typeof studyMeasures;
