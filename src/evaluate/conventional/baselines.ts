/** Conventional models as baselines of an evaluation: the question alone by regression, and those asked for by name. */
import type { Example } from "../../core/records.ts";
import { imageProfiles } from "../../data/index.ts";
import type { BaselineAnswers } from "../answers.ts";
import { withFewImages } from "../nearest.ts";
import { type ConventionalAnswers, conventionalAnswers, type DenseBlock } from "./answering.ts";
import { type ConventionalName, conventionalModels } from "./index.ts";
import { tableBlock } from "./table-block.ts";

/** Logistic regression on the question's words: what can be known without the image. */
export function questionRegression(examples: readonly Example[], train: readonly Example[]): BaselineAnswers {
  return { question_regression: conventionalAnswers(conventionalModels.lr, examples, train, { blocks: [] }) };
}

/** The models' answers from words and images, by the names that baselines have: "conventional_lr". */
export async function conventionalBaselines(
  names: readonly ConventionalName[],
  examples: readonly Example[],
  train: readonly Example[],
): Promise<Readonly<Record<string, ConventionalAnswers>>> {
  if (names.length === 0) return {};
  const seen = withFewImages(train);
  const profiles = await imageProfiles([...seen, ...examples].flatMap(({ images }) => images.slice(0, 1)));
  const image: DenseBlock = ({ images: [first] }) => (first === undefined ? null : (profiles.get(first.path) ?? null));
  const answers = names.map((name) => {
    const found = conventionalAnswers(conventionalModels[name], examples, seen, { blocks: [image, tableBlock(seen)] });
    return [`conventional_${name}`, found] as const;
  });
  return Object.fromEntries(answers);
}
