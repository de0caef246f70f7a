/** What predictions may be about: ratios of totals over the questions of an arm's last evaluations. */
import type { Part } from "../evaluate/index.ts";
import type { ScoredItem } from "../evaluate/run-statistics.ts";

interface Measure {
  readonly about: string;
  readonly unit: "share" | "tokens";
  /** What a question adds; null where its record lacks what is needed. */
  readonly part: (item: ScoredItem) => Part | null;
}

const tokensIf = (item: ScoredItem, counts: boolean): Part | null => {
  if (item.tokens === undefined) return null;
  return counts ? [item.tokens, 1] : [0, 0];
};

export const studyMeasures = {
  accuracy: { about: "strict accuracy", unit: "share", part: ({ strict }) => [strict, 1] },
  length: { about: "tokens of a completion", unit: "tokens", part: (item) => tokensIf(item, true) },
  right_length: {
    about: "tokens of a right answer",
    unit: "tokens",
    part: (item) => tokensIf(item, item.strict === 1),
  },
  wrong_length: {
    about: "tokens of a wrong answer",
    unit: "tokens",
    part: (item) => tokensIf(item, item.strict === 0),
  },
  tokens_per_right: {
    about: "tokens of all completions for each right answer",
    unit: "tokens",
    part: ({ tokens, strict }) => (tokens === undefined ? null : [tokens, strict]),
  },
  false_statements: {
    about: "share of the statements decided by the facts that are false",
    unit: "share",
    part: ({ statements: said }) => (said === undefined ? null : [said.wrong, said.right + said.wrong]),
  },
  invented_findings: {
    about: "share of asserted findings that are not there",
    unit: "share",
    part: ({ statements: said }) => (said === undefined ? null : [said.invented, said.asserted]),
  },
} as const satisfies Readonly<Record<string, Measure>>;

export type MeasureName = keyof typeof studyMeasures;
