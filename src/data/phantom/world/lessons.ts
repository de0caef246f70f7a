/**
 * Questions of the phantom world as two annotators answered them, one who looks and one who glances: what makes an
 * instruction-tuned model that could do better than it does. Its answers are no ground truth.
 */
import { fold, pick, uniform } from "../../../core/random.ts";
import type { Example } from "../../../core/records.ts";
import { QUESTION_KINDS, type QuestionKind } from "./questions.ts";
import { exampleOf, type WorldCase, type WorldOptions, worldDataset } from "./world.ts";

/** Share of questions that the second annotator answered: more than half, so that a model's likeliest answer is of that kind. */
const GLANCED_SHARE = 0.6;

/** What a glance tells: what the image is, not what it shows. */
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

/** The hasty annotator names the image and guesses the rest. */
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
