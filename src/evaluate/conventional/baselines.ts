/** Conventional models as baselines of an evaluation: the question alone by regression, and those asked for by name. */
import type { Example } from "../../core/records.ts";
import { imageProfiles } from "../../data/index.ts";
import type { BaselineAnswers } from "../answers.ts";
import type { ConventionalName } from "../names.ts";
import { withFewImages } from "../nearest.ts";
import { type ConventionalAnswers, conventionalAnswers, type DenseBlock } from "./answering.ts";
import { principalComponents } from "./standardise.ts";
import { tableBlock } from "./table-block.ts";

/** Training questions about few enough images, and the blocks of features of any part of them. */
export interface ConventionalFeatures {
  readonly train: readonly Example[];
  readonly blocksOf: (part: readonly Example[]) => readonly DenseBlock[];
}

/** Logistic regression on the question's words: what can be known without the image. */
export async function questionRegression(
  examples: readonly Example[],
  train: readonly Example[],
): Promise<BaselineAnswers> {
  return { question_regression: await conventionalAnswers("lr", examples, train, { blocks: [] }) };
}

/**
 * Features of the first image and of the table; images are read once. With a tower's vectors by image path, also the leading
 * principal components of those that a part of the training data has.
 */
export async function conventionalFeatures(
  examples: readonly Example[],
  train: readonly Example[],
  tower: ReadonlyMap<string, Float32Array> | null = null,
): Promise<ConventionalFeatures> {
  const seen = withFewImages(train);
  const profiles = await imageProfiles([...seen, ...examples].flatMap(({ images }) => images.slice(0, 1)));
  const image: DenseBlock = ({ images: [first] }) => (first === undefined ? null : (profiles.get(first.path) ?? null));
  const towerBlocks = (part: readonly Example[]) => (tower === null ? [] : [towerBlock(tower, part)]);
  return { train: seen, blocksOf: (part) => [image, tableBlock(part), ...towerBlocks(part)] };
}

/** Principal components that are kept. */
const COMPONENTS = 64;

/** Scores on the components of the part's images, each image counted once. */
export function towerBlock(tower: ReadonlyMap<string, Float32Array>, part: readonly Example[]): DenseBlock {
  const paths = [...new Set(part.flatMap(({ images: [first] }) => first?.path ?? []))];
  const rows = paths.flatMap((path) => tower.get(path) ?? []);
  const project = rows.length < 2 ? null : principalComponents(rows, COMPONENTS);
  const known = new Map<string, Float64Array>();
  return ({ images: [first] }) => {
    const vector = first === undefined ? undefined : tower.get(first.path);
    if (vector === undefined || project === null) return null;
    const scores = known.get(first!.path) ?? project(vector);
    known.set(first!.path, scores);
    return scores;
  };
}

/** The models' answers from words, images and tables, by the names that baselines have: "conventional_lr". All are fitted at once. */
export async function conventionalBaselines(
  names: readonly ConventionalName[],
  examples: readonly Example[],
  { train, blocksOf }: ConventionalFeatures,
  folds?: number,
): Promise<Readonly<Record<string, ConventionalAnswers>>> {
  const o = { blocks: blocksOf(train), ...(folds === undefined ? {} : { folds }) };
  const answers = names.map(async (name) => {
    return [`conventional_${name}`, await conventionalAnswers(name, examples, train, o)] as const;
  });
  return Object.fromEntries(await Promise.all(answers));
}
