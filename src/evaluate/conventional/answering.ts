/**
 * Conventional models as answerers of questions (ClinicRealm, arXiv 2407.18525; the features are ours): what logistic
 * regression, neighbours and trees make of the same training questions, so that a user sees whether a language model is
 * needed at all.
 */
import { optionLetter, rightOption } from "../../answers/choice.ts";
import { normalise } from "../../answers/normalise.ts";
import { permutation, randomKey } from "../../core/random.ts";
import type { AnswerType, Example } from "../../core/records.ts";
import type { Answers } from "../answers.ts";
import type { ConventionalName } from "../names.ts";
import { beside, denseFeatures, type Features } from "./features.ts";
import { type Fit, fitted } from "./fits.ts";
import { subjectFolds } from "./folds.ts";
import { likeliest } from "./model.ts";
import { zScores } from "./standardise.ts";
import { hashedWords } from "./words.ts";

/** A vector of each example for a block of features, such as its image; null where it has none. */
export type DenseBlock = (example: Example) => ArrayLike<number> | null;

export interface ConventionalOptions {
  /** Blocks beside the question's words, each put to z-scores of the training rows. */
  readonly blocks: readonly DenseBlock[];
  readonly seed?: number;
  /** Default 5. */
  readonly folds?: number;
}

/** Answers with the probability of "yes" for closed questions and numbers for numeric ones; null elsewhere. */
export interface ConventionalAnswers extends Answers {
  readonly yes: readonly (number | null)[];
  readonly numbers: readonly (number | null)[];
}

/** Training rows of an answer type beyond which a fixed random sample is used, and answers that are told apart. */
export const MAX_ROWS = 5000;
const MAX_CLASSES = 24;

/** Fits the model to the training questions of each answer type and answers the examples. */
export async function conventionalAnswers(
  model: ConventionalName,
  examples: readonly Example[],
  train: readonly Example[],
  { blocks, seed = 0, folds = 5 }: ConventionalOptions,
): Promise<ConventionalAnswers> {
  const texts = new Array<string>(examples.length).fill("");
  const yes = new Array<number | null>(examples.length).fill(null);
  const numbers = new Array<number | null>(examples.length).fill(null);
  const options = { blocks, seed, folds };
  const parts = [...new Set(examples.map(({ answerType }) => answerType))].flatMap((type) => {
    const asked = examples.flatMap((example, i) => (example.answerType === type ? [i] : []));
    return type === "numeric"
      ? numberParts(examples, asked, train, options)
      : classPart(examples, asked, train, options);
  });
  const found = await fitted({ model, parts: parts.map(({ fit }) => fit) });
  for (const [p, { asked, answer }] of parts.entries()) {
    for (const [row, i] of asked.entries()) {
      const { text, yes: probability = null, number = null } = answer(found[p]!, row, examples[i]!);
      texts[i] = text;
      yes[i] = probability;
      numbers[i] = number;
    }
  }
  return { predictions: texts.map((text) => [{ text }]), style: "plain", thinkOpened: false, yes, numbers };
}

/** One fit, the examples it answers by index, and the answer to one of them: `row` is its row in the fit's values. */
interface Part {
  readonly fit: Fit;
  readonly asked: readonly number[];
  answer(values: Float64Array, row: number, example: Example): OneAnswer;
}

interface OneAnswer {
  readonly text: string;
  readonly yes?: number;
  readonly number?: number;
}

/** The questions of a type whose answers are classes; none where no training question has the type. */
function classPart(
  examples: readonly Example[],
  asked: readonly number[],
  train: readonly Example[],
  { blocks, seed, folds }: Required<ConventionalOptions>,
): readonly Part[] {
  const type = examples[asked[0]!]!.answerType;
  const { rows, classes, targets } = classesOf(train, type, seed);
  if (classes.length === 0) return [];
  const features = featuresOf(rows, blocks);
  const input = { features: features(rows), targets, classes: classes.length, folds: foldsOf(rows, folds, seed) };
  const yesClass = classes.findIndex(({ key }) => key === "yes");
  const answer = (probabilities: Float64Array, row: number, example: Example): OneAnswer => {
    const of = (c: number) => probabilities[row * classes.length + c]!;
    if (type === "choice") return { text: optionOf(example, classes, of) };
    const { text } = classes[likeliest(probabilities, row, classes.length)]!;
    return type === "closed" && yesClass >= 0 ? { text, yes: of(yesClass) } : { text };
  };
  return [{ fit: { to: "classes", input, rows: features(asked.map((i) => examples[i]!)) }, asked, answer }];
}

/** Numeric questions by unit, fitted to training questions with the same one; none where there are fewer than two. */
function numberParts(
  examples: readonly Example[],
  asked: readonly number[],
  train: readonly Example[],
  { blocks, seed, folds }: Required<ConventionalOptions>,
): readonly Part[] {
  const unitOf = ({ target }: Example) => target?.unit;
  return [...new Set(asked.map((i) => unitOf(examples[i]!)))].flatMap((unit) => {
    const rows = sampled(
      // A censored time is no target: the patient lived longer.
      train.filter(({ target }) => target !== undefined && target.unit === unit && target.event !== false),
      seed,
    );
    if (rows.length < 2) return [];
    const own = asked.filter((i) => unitOf(examples[i]!) === unit);
    const features = featuresOf(rows, blocks);
    const targets = Float64Array.from(rows, ({ target }) => target!.value);
    const input = { features: features(rows), targets, folds: foldsOf(rows, folds, seed) };
    const answer = (values: Float64Array, row: number, example: Example): OneAnswer => {
      return { text: numberText(values[row]!, example), number: values[row]! };
    };
    return [{ fit: { to: "numbers", input, rows: features(own.map((i) => examples[i]!)) }, asked: own, answer }];
  });
}

function numberText(value: number, { target }: Example): string {
  const rounded = Number(value.toPrecision(4));
  return target?.unit === undefined ? String(rounded) : `${rounded} ${target.unit}`;
}

function foldsOf(rows: readonly Example[], folds: number, seed: number): Int32Array {
  return subjectFolds(
    rows.map(({ subjectId }) => subjectId),
    folds,
    seed,
  );
}

/** At most `MAX_ROWS` of the rows, in their order. */
function sampled(rows: readonly Example[], seed: number): readonly Example[] {
  if (rows.length <= MAX_ROWS) return rows;
  const some = permutation(randomKey(seed, "conventional"), rows.length).slice(0, MAX_ROWS).sort();
  return Array.from(some, (i) => rows[i]!);
}

interface AnswerClass {
  /** Normalised. */
  readonly key: string;
  /** As first written. */
  readonly text: string;
}

/** The most frequent answers of a type in training as classes, and the rows that have one of them. */
function classesOf(train: readonly Example[], type: AnswerType, seed: number) {
  const counts = new Map<string, { readonly text: string; count: number }>();
  const ofType = train.filter(({ answerType }) => answerType === type);
  const written = (example: Example) => (type === "choice" ? example.choices[rightOption(example)]! : example.answer);
  for (const example of ofType) {
    const text = written(example);
    const entry = counts.get(normalise(text)) ?? { text, count: 0 };
    entry.count += 1;
    counts.set(normalise(text), entry);
  }
  const frequent = [...counts].sort(([, a], [, b]) => b.count - a.count).slice(0, MAX_CLASSES);
  const classes = frequent.map(([key, { text }]): AnswerClass => ({ key, text }));
  const index = new Map(classes.map(({ key }, c) => [key, c] as const));
  const known = ofType.filter((example) => index.has(normalise(written(example))));
  const rows = sampled(known, seed);
  const targets = Int32Array.from(rows, (example) => index.get(normalise(written(example)))!);
  return { rows, classes, targets };
}

/** Words of the question with its options, then each dense block as z-scores with a flag for rows that lack it. */
function featuresOf(train: readonly Example[], blocks: readonly DenseBlock[]): (rows: readonly Example[]) => Features {
  const textOf = ({ question, choices }: Example) => [question, ...choices].join(" ; ");
  const words = hashedWords(train.map(textOf));
  const dense = blocks.flatMap((block) => {
    const known = train.map(block).filter((vector) => vector !== null);
    return known.length === 0 ? [] : [{ block, width: known[0]!.length, scale: zScores(known) }];
  });
  return (rows) =>
    beside([
      words(rows.map(textOf)),
      ...dense.map(({ block, width, scale }) =>
        denseFeatures(
          rows.map((example) => {
            const vector = block(example);
            const values = vector === null ? new Float64Array(width) : scale(vector);
            // A block as long as a text's row, so that neighbours weigh both alike.
            return [...values.map((value) => value / Math.sqrt(width)), vector === null ? 1 : 0];
          }),
        ),
      ),
    ]);
}

/** The option whose text has the largest probability; the first option where none was an answer in training. */
function optionOf({ choices }: Example, classes: readonly AnswerClass[], of: (c: number) => number): string {
  const scores = choices.map((choice) => {
    const c = classes.findIndex(({ key }) => key === normalise(choice));
    return c < 0 ? 0 : of(c);
  });
  return optionLetter(scores.indexOf(Math.max(...scores)));
}
