/** What the training set alone would answer: the reference for every result. */
import { optionLetter, referenceOption, rightOption } from "../answers/choice.ts";
import { normalise } from "../answers/normalise.ts";
import type { Example } from "../core/records.ts";
import type { BaselineAnswers } from "./answers.ts";

/** Gives an answer to a question. */
export type Baseline = (example: Example) => string;

/**
 * Two that never see the image: `majority`, the most frequent training answer of the question's type, and `question_only`,
 * the most frequent one of the same normalised question, else of its type.
 */
export type Baselines = Readonly<Record<"majority" | "question_only", Baseline>>;

/** What baselines answer to the examples; options by their letter, which every protocol reads. */
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

/** The question's type: content_type or question_type where the data has one, with the answer type. */
export function questionType(example: Example): string {
  const type = example.meta.content_type || example.meta.question_type;
  return type ? `${type} (${example.answerType})` : example.answerType;
}

/**
 * Counts the training answers. Answers are counted normalised and given as first written; ties go to the answer met
 * first. A type the training set lacks falls back to the answer type, then to all of it. For a choice question whose
 * options lack the answer, the most frequent position of the right option.
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

/** How often each position held the right option. */
export function rightPositions(train: readonly Example[]): Tally {
  const positions: Tally = new Map();
  for (const example of train) {
    if (example.answerType === "choice") add(positions, String(rightOption(example)));
  }
  return positions;
}

/** The answer; of a choice question whose options lack it, the option in the position that was right most often. */
export function amongOptions({ answerType, choices }: Example, answer: string, positions: Tally): string {
  if (answerType !== "choice" || referenceOption(answer, choices) >= 0) return answer;
  return choices[Number(mostFrequent(positions) ?? 0)] ?? choices[0]!;
}

interface Table {
  readonly keyOf: (example: Example) => string;
  readonly answers: Map<string, Tally>;
}

/** By normalised text: the text as first written, and how often it came. */
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
