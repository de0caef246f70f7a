/** Conventional models as baselines of an evaluation: the question alone by regression, and those asked for by name. */
import type { Example } from "../../core/records.ts";
import { imageProfiles } from "../../data/index.ts";
import type { BaselineAnswers } from "../answers.ts";
import { withFewImages } from "../nearest.ts";
import { type ConventionalAnswers, conventionalAnswers, type DenseBlock } from "./answering.ts";
import { type ConventionalName, conventionalModels } from "./index.ts";
import { tableBlock } from "./table-block.ts";

/** Training questions about few enough images, and the blocks of features of any part of them. */
export interface ConventionalFeatures {
  readonly train: readonly Example[];
  readonly blocksOf: (part: readonly Example[]) => readonly DenseBlock[];
}

/** Logistic regression on the question's words: what can be known without the image. */
export function questionRegression(examples: readonly Example[], train: readonly Example[]): BaselineAnswers {
  return { question_regression: conventionalAnswers(conventionalModels.lr, examples, train, { blocks: [] }) };
}

/** Features of the first image and of the table; images are read once. */
export async function conventionalFeatures(
  examples: readonly Example[],
  train: readonly Example[],
): Promise<ConventionalFeatures> {
  const seen = withFewImages(train);
  const profiles = await imageProfiles([...seen, ...examples].flatMap(({ images }) => images.slice(0, 1)));
  const image: DenseBlock = ({ images: [first] }) => (first === undefined ? null : (profiles.get(first.path) ?? null));
  return { train: seen, blocksOf: (part) => [image, tableBlock(part)] };
}

/** The models' answers from words, images and tables, by the names that baselines have: "conventional_lr". */
export function conventionalBaselines(
  names: readonly ConventionalName[],
  examples: readonly Example[],
  { train, blocksOf }: ConventionalFeatures,
): Readonly<Record<string, ConventionalAnswers>> {
  const blocks = blocksOf(train);
  const answers = names.map((name) => {
    return [
      `conventional_${name}`,
      conventionalAnswers(conventionalModels[name], examples, train, { blocks }),
    ] as const;
  });
  return Object.fromEntries(answers);
}
