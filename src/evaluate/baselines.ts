/** What a model that never sees the image would answer, from the training set alone: results stand beside these. */
import { referenceOption } from "../answers/choice.ts";
import { normalise } from "../answers/normalise.ts";
import type { Example } from "../core/records.ts";

/** Gives an answer to a question without its image. */
export type Baseline = (example: Example) => string;

export interface Baselines {
  /** The most frequent training answer of the question's type. */
  readonly majority: Baseline;
  /** The most frequent training answer of the same normalised question, else of its type. */
  readonly question_only: Baseline;
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
  const positions: Tally = new Map();
  for (const example of train) {
    for (const { keyOf, answers } of tables) add(tallyAt(answers, keyOf(example)), example.answer);
    if (example.answerType === "choice") add(positions, String(referenceOption(example.answer, example.choices)));
  }
  const answerFrom = (used: readonly Table[]) => (example: Example) => {
    const tally = used.map(({ keyOf, answers }) => answers.get(keyOf(example))).find((found) => found !== undefined);
    const answer = mostFrequent(tally) ?? "";
    if (example.answerType !== "choice" || referenceOption(answer, example.choices) >= 0) return answer;
    return example.choices[Number(mostFrequent(positions) ?? 0)] ?? example.choices[0]!;
  };
  return { majority: answerFrom(tables.slice(1)), question_only: answerFrom(tables) };
}

interface Table {
  readonly keyOf: (example: Example) => string;
  readonly answers: Map<string, Tally>;
}

/** By normalised text: the text as first written, and how often it came. */
type Tally = Map<string, { readonly text: string; readonly count: number }>;

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
