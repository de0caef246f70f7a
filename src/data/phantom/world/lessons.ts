/**
 * Questions of the phantom world as two annotators answered them, one who looks and one who glances: what makes an
 * instruction-tuned model that could do better than it does. Its answers are no ground truth.
 */
import { fold, pick, uniform } from "../../../core/random.ts";
import type { Example } from "../../../core/records.ts";
import type { Dataset } from "../../dataset.ts";
import { QUESTION_KINDS, type QuestionKind } from "./questions.ts";
import { loadWorld, type WorldOptions, worldCase, worldExample } from "./world.ts";

/** Share of questions that the second annotator answered: more than half, so that a model's likeliest answer is of that kind. */
const GLANCED_SHARE = 0.6;

/** What a glance tells: what the image is, not what it shows. */
const glanced: ReadonlySet<QuestionKind> = new Set(
  QUESTION_KINDS.filter((kind) => ["modality", "sequence", "plane", "organ"].includes(kind)),
);

export const phantomLessons: Dataset = {
  name: "phantom_lessons",
  description: "Phantom lessons: phantom_world's questions as a careful and a hasty annotator answered them",
  licence: "Apache-2.0 (generated; shows no person)",
  obtain: "nothing to get: it is generated from the seed",
  load: (options) => loadWorld("phantom_lessons", options, lessonExample),
};

/** The hasty annotator names the image and guesses the rest; the images are in no split of the questions. */
function lessonExample(seed: number, split: string, index: number, options: WorldOptions): Example {
  const own = `${split} lessons`;
  const example = worldExample(seed, own, index, options);
  const { kind, asked, key } = worldCase(seed, own, index, options.difficulty);
  const annotator = fold(key, "annotator");
  const meta = { ...example.meta, split };
  if (uniform(annotator, 0) >= GLANCED_SHARE) return { ...example, meta: { ...meta, annotator: "careful" } };
  const answer = glanced.has(kind) ? example.answer : pick(annotator, 1, asked.answers);
  const [glance] = example.rationale!.split(/(?<=\.) /);
  return { ...example, answer, rationale: glance!, meta: { ...meta, annotator: "hasty" } };
}
