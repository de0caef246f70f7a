/** The nearest-neighbour baseline: the answer of the training question most similar in words and image. */
import { normalisedTokens } from "../answers/normalise.ts";
import { textSimilarity } from "../answers/text-similarity.ts";
import { permutation, randomKey } from "../core/random.ts";
import type { Example, ImageRef } from "../core/records.ts";
import { imageVectors } from "../data/index.ts";
import type { BaselineAnswers } from "./answers.ts";
import { amongOptions, baselineAnswers, rightPositions } from "./baselines.ts";

/**
 * Maximum training images compared; beyond that, a fixed random sample of images with their questions, to bound time.
 */
export const MAX_IMAGES = 2000;

/** Vectors of images by path. */
type ImageVectors = ReadonlyMap<string, Float32Array>;

/** The baseline's answers; reads the first image of every training and test question. */
export function nearestNeighbour(examples: readonly Example[], train: readonly Example[]): Promise<BaselineAnswers> {
  return answersOfNearest("nearest_neighbour", examples, train, imageVectors);
}

/**
 * The same with images as a model's vision tower sees them: cosine of its mean outputs, less their mean over the training
 * images, which all images have in common.
 */
export function towerNeighbour(
  examples: readonly Example[],
  train: readonly Example[],
  embed: (images: readonly ImageRef[]) => Promise<ImageVectors>,
): Promise<BaselineAnswers> {
  return answersOfNearest("tower_neighbour", examples, train, async (images) => {
    const known = new Set(train.flatMap((example) => example.images.slice(0, 1)).map(({ path }) => path));
    return centredUnits(await embed(images), (path) => known.has(path));
  });
}

async function answersOfNearest(
  name: string,
  examples: readonly Example[],
  train: readonly Example[],
  vectorsOf: (images: readonly ImageRef[]) => Promise<ImageVectors>,
): Promise<BaselineAnswers> {
  const seen = withFewImages(train);
  const images = [...seen, ...examples].flatMap(({ images }) => images.slice(0, 1));
  const nearest = nearestIndices(examples, seen, await vectorsOf(images));
  const byExample = new Map(examples.map((example, i) => [example, seen[nearest[i]!]?.answer ?? ""]));
  const positions = rightPositions(train);
  const answer = (example: Example) => amongOptions(example, byExample.get(example)!, positions);
  return baselineAnswers(examples, { [name]: answer });
}

/** Vectors of length 1 (or 0) after the mean of the counted ones is subtracted from all. */
function centredUnits(vectors: ImageVectors, counts: (path: string) => boolean): ImageVectors {
  const counted = [...vectors].flatMap(([path, vector]) => (counts(path) ? [vector] : []));
  const mean = Float64Array.from({ length: counted[0]?.length ?? 0 }, (_, i) => {
    return counted.reduce((sum, vector) => sum + vector[i]!, 0) / counted.length;
  });
  const unit = (vector: Float32Array) => {
    const apart = vector.map((value, i) => value - (mean[i] ?? 0));
    const length = Math.hypot(...apart) || 1;
    return apart.map((value) => value / length);
  };
  return new Map([...vectors].map(([path, vector]) => [path, unit(vector)]));
}

/**
 * For each example, the index of the training example with the largest sum of two similarities: of the questions' words
 * (cosine of TF-IDF vectors) and of the first images (correlation of thumbnails; 0 if one has none). Only training
 * questions of the same answer type are considered, if there are any; ties go to the first. -1 without training
 * examples.
 */
export function nearestIndices(
  examples: readonly Example[],
  train: readonly Example[],
  vectors: ReadonlyMap<string, Float32Array>,
): readonly number[] {
  const texts = numbered(train.map(({ question }) => question));
  const images = numbered(train.map(({ images }) => images[0]?.path ?? ""));
  const similarity = textSimilarity(texts.distinct.map(normalisedTokens));
  const all = Int32Array.from(train, (_, i) => i);
  const ofType = remembered((type: string) => {
    const same = all.filter((i) => train[i]!.answerType === type);
    return same.length > 0 ? same : all;
  });
  const looksOf = remembered((path: string) => {
    const own = vectors.get(path);
    return Float64Array.from(images.distinct, (other) => dot(own, vectors.get(other)));
  });
  const nearest = new Array<number>(examples.length).fill(-1);
  // One question at a time: the full similarity matrix of words would not fit in memory.
  for (const asking of grouped(examples.map(({ question }) => question))) {
    const words = similarity(normalisedTokens(examples[asking[0]!]!.question));
    const bestOf = remembered((type: string) => {
      const of = (i: number) => words[texts.numbers[i]!]!;
      return bestByImage(ofType(type), images.numbers, images.distinct.length, of);
    });
    for (const e of asking) {
      const { images: own, answerType } = examples[e]!;
      const looks = looksOf(own[0]?.path ?? "");
      let highest = Number.NEGATIVE_INFINITY;
      for (const [i, alike] of bestOf(answerType)) {
        const score = alike + looks[images.numbers[i]!]!;
        if (score > highest || (score === highest && i < nearest[e]!)) [nearest[e], highest] = [i, score];
      }
    }
  }
  return nearest;
}

/**
 * For each image, the first of its questions with the most similar words, so that examples with the same question share
 * the search.
 */
function bestByImage(
  candidates: Int32Array,
  imageOf: Int32Array,
  images: number,
  alike: (i: number) => number,
): readonly (readonly [index: number, alike: number])[] {
  const best = new Int32Array(images).fill(-1);
  for (const i of candidates) {
    const known = best[imageOf[i]!]!;
    if (known < 0 || alike(i) > alike(known)) best[imageOf[i]!] = i;
  }
  return Array.from(
    best.filter((i) => i >= 0),
    (i) => [i, alike(i)] as const,
  );
}

/** The training questions about at most `MAX_IMAGES` images, a fixed random sample of them. */
export function withFewImages(train: readonly Example[]): readonly Example[] {
  const pathOf = ({ images }: { readonly images: readonly ImageRef[] }) => images[0]?.path ?? "";
  const paths = [...new Set(train.map(pathOf))];
  if (paths.length <= MAX_IMAGES) return train;
  const order = permutation(randomKey(0, "nearest-neighbour"), paths.length).slice(0, MAX_IMAGES);
  const chosen = new Set(Array.from(order, (i) => paths[i]!));
  return train.filter((example) => chosen.has(pathOf(example)));
}

/** Distinct texts in order of first occurrence, and each text's index among them. */
function numbered(texts: readonly string[]) {
  const index = new Map<string, number>();
  for (const text of texts) if (!index.has(text)) index.set(text, index.size);
  return { distinct: [...index.keys()], numbers: Int32Array.from(texts, (text) => index.get(text)!) };
}

/** The indices of equal texts. */
function grouped(texts: readonly string[]): Iterable<readonly number[]> {
  const groups = new Map<string, number[]>();
  for (const [i, text] of texts.entries()) {
    const group = groups.get(text);
    if (group === undefined) groups.set(text, [i]);
    else group.push(i);
  }
  return groups.values();
}

function remembered<T>(compute: (key: string) => T): (key: string) => T {
  const known = new Map<string, T>();
  return (key) => {
    const value = known.get(key) ?? compute(key);
    known.set(key, value);
    return value;
  };
}

function dot(a: Float32Array | undefined, b: Float32Array | undefined): number {
  if (a === undefined || b === undefined) return 0;
  // Four sums, so that none waits for its last addition.
  let [first, second, third, fourth] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 4 <= a.length; i += 4) {
    first += a[i]! * b[i]!;
    second += a[i + 1]! * b[i + 1]!;
    third += a[i + 2]! * b[i + 2]!;
    fourth += a[i + 3]! * b[i + 3]!;
  }
  for (; i < a.length; i++) first += a[i]! * b[i]!;
  return first + second + third + fourth;
}
