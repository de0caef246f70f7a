/**
 * Questions of the phantom world as answered by two annotators, a careful and a hasty one. They train an
 * instruction-tuned model that RL can improve. The answers are not ground truth.
 */
import { fold, pick, uniform } from "../../../core/random.ts";
import type { Example } from "../../../core/records.ts";
import { QUESTION_KINDS, type QuestionKind } from "./questions.ts";
import { exampleOf, type WorldCase, type WorldOptions, worldDataset } from "./world.ts";

/** Fraction of questions answered by the hasty annotator: more than half, so that greedy answers are of that kind. */
const GLANCED_SHARE = 0.6;

/** What a glance shows: the kind of image, not its findings. */
const glanced: ReadonlySet<QuestionKind> = new Set(
  QUESTION_KINDS.filter((kind) => ["modality", "sequence", "plane", "organ"].includes(kind)),
);

export const phantomLessons = worldDataset(
  {
    name: "phantom_lessons",
    stream: "lessons",
    description: "Phantom lessons: phantom_world's questions as a careful and a hasty annotator answered them",
  },
  lessonExample,
);

/** The hasty annotator names the kind of image and guesses the rest. */
function lessonExample(drawn: WorldCase, options: WorldOptions): Example {
  const example = exampleOf(drawn, options);
  const { kind, asked, key } = drawn;
  const annotator = fold(key, "annotator");
  const by = (name: string): Example => ({ ...example, meta: { ...example.meta, annotator: name } });
  if (uniform(annotator, 0) >= GLANCED_SHARE) return by("careful");
  const answer = glanced.has(kind) ? example.answer : pick(annotator, 1, asked.answers);
  const [glance] = example.rationale!.split(/(?<=\.) /);
  const hasty = { ...by("hasty"), answer, rationale: glance! };
  return example.answerType === "choice" ? { ...hasty, answerIndex: example.choices.indexOf(answer) } : hasty;
}
