/** What the training set alone would answer: the reference for every result. */
import { optionLetter, referenceOption, rightOption } from "../answers/choice.ts";
import { normalise } from "../answers/normalise.ts";
import type { Example } from "../core/records.ts";
import type { BaselineAnswers } from "./answers.ts";

/** Answers a question. */
export type Baseline = (example: Example) => string;

/**
 * Two baselines that ignore the image: `majority` is the most frequent training answer of the question's type;
 * `question_only` is the most frequent one of the same normalised question, falling back to its type.
 */
export type Baselines = Readonly<Record<"majority" | "question_only", Baseline>>;

/** The baselines' answers to the examples; options by letter, which every protocol parses. */
export function baselineAnswers(
  examples: readonly Example[],
  baselines: Readonly<Record<string, Baseline>>,
): BaselineAnswers {
  const answers = Object.entries(baselines).map(([name, baseline]) => {
    const predictions = examples.map((example) => [{ text: spelled(example, baseline(example)) }]);
    return [name, { predictions, style: "plain", thinkOpened: false }] as const;
  });
  return Object.fromEntries(answers);
}

function spelled({ choices, answerType }: Example, answer: string): string {
  const option = answerType === "choice" ? referenceOption(answer, choices) : -1;
  return option < 0 ? answer : optionLetter(option);
}

/** The question's type: content_type or question_type if the data has one, with the answer type. */
export function questionType(example: Example): string {
  const type = example.meta.content_type || example.meta.question_type;
  return type ? `${type} (${example.answerType})` : example.answerType;
}

/**
 * Counts the training answers. Answers are counted by normalised text and returned as first written; ties go to the
 * answer seen first. A type missing from the training set falls back to the answer type, then to the whole set. For a
 * choice question without that answer among its options, the most frequent position of the correct option is used.
 */
export function trainBaselines(train: readonly Example[]): Baselines {
  const tables: readonly Table[] = [
    { keyOf: (example) => normalise(example.question), answers: new Map() },
    { keyOf: questionType, answers: new Map() },
    { keyOf: (example) => `answer type ${example.answerType}`, answers: new Map() },
    { keyOf: () => "all", answers: new Map() },
  ];
  const positions = rightPositions(train);
  for (const example of train) {
    for (const { keyOf, answers } of tables) add(tallyAt(answers, keyOf(example)), example.answer);
  }
  const answerFrom = (used: readonly Table[]) => (example: Example) => {
    const tally = used.map(({ keyOf, answers }) => answers.get(keyOf(example))).find((found) => found !== undefined);
    return amongOptions(example, mostFrequent(tally) ?? "", positions);
  };
  return { majority: answerFrom(tables.slice(1)), question_only: answerFrom(tables) };
}

/** How often each position had the correct option. */
export function rightPositions(train: readonly Example[]): Tally {
  const positions: Tally = new Map();
  for (const example of train) {
    if (example.answerType === "choice") add(positions, String(rightOption(example)));
  }
  return positions;
}

/**
 * The answer; for a choice question without it among the options, the option at the position that was most often
 * correct.
 */
export function amongOptions({ answerType, choices }: Example, answer: string, positions: Tally): string {
  if (answerType !== "choice" || referenceOption(answer, choices) >= 0) return answer;
  return choices[Number(mostFrequent(positions) ?? 0)] ?? choices[0]!;
}

interface Table {
  readonly keyOf: (example: Example) => string;
  readonly answers: Map<string, Tally>;
}

/** By normalised text: the text as first written, and its count. */
export type Tally = Map<string, { readonly text: string; readonly count: number }>;

function add(tally: Tally, text: string): void {
  const key = normalise(text);
  const { text: written, count } = tally.get(key) ?? { text, count: 0 };
  tally.set(key, { text: written, count: count + 1 });
}

function mostFrequent(tally: Tally | undefined): string | undefined {
  let best: { readonly text: string; readonly count: number } | undefined;
  for (const entry of tally?.values() ?? []) if (best === undefined || entry.count > best.count) best = entry;
  return best?.text;
}

function tallyAt(answers: Map<string, Tally>, key: string): Tally {
  const tally: Tally = answers.get(key) ?? new Map();
  answers.set(key, tally);
  return tally;
}
