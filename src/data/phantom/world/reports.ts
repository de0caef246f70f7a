/**
 * Images of the phantom world with texts, for pre-training a vision-language model: reports, and occasionally a page of
 * a teaching file, in which a report becomes a question with its reasoned answer.
 */
import { fold, type RandomKey, uniform } from "../../../core/random.ts";
import type { Example } from "../../../core/records.ts";
import type { Question } from "./questions.ts";
import { rationaleOf } from "./rationale.ts";
import { pickKinds, type Scene } from "./scene.ts";
import { exampleOf, type WorldCase, type WorldOptions, worldDataset } from "./world.ts";

/** Fraction of texts with question and answer: enough to show the format, too few to master it. */
const TEACHING_SHARE = 0.1;

export const phantomReports = worldDataset(
  {
    name: "phantom_reports",
    stream: "reports",
    description:
      "Phantom reports: generated images with report texts, to pre-train on (question is empty, answer the text)",
  },
  reportExample,
);

/** The example of a text: an answer to an empty question. */
function reportExample(drawn: WorldCase, options: WorldOptions): Example {
  const { asked, scene, key } = drawn;
  const { rationale: _, answerIndex: __, ...example } = exampleOf(drawn, options);
  const text = uniform(fold(key, "text"), 0) < TEACHING_SHARE ? teachingPage(asked, scene) : report(scene, key);
  return { ...example, question: "", answer: text, answerType: "open", choices: [] };
}

/** A report: the kind of image, its findings and their places, up to two absent findings, and an impression. */
function report(scene: Scene, key: RandomKey): string {
  const { view, findings } = scene;
  const names = [...new Set(findings.map(({ kind }) => kind.name))];
  const shown = findings.flatMap(({ kind }) => [kind.name, kind.kindOf]);
  const absent = view.findings.filter(({ name }) => !shown.includes(name));
  const negatives = pickKinds(absent, 2, fold(key, "negatives")).map(({ name }) => `There is no ${name}.`);
  const impression = names.length === 0 ? "no abnormality" : names.join(", ");
  return [rationaleOf(scene, null), ...negatives, `Impression: ${impression}.`].join(" ");
}

function teachingPage({ question, choices, answer }: Question, scene: Scene): string {
  const options = choices.map((choice, i) => `\n${String.fromCharCode(65 + i)}. ${choice}`).join("");
  const letter = choices.length === 0 ? "" : `${String.fromCharCode(65 + choices.indexOf(answer))}. `;
  const thought = rationaleOf(scene, null);
  return `Question: ${question}${options}\nAnswer: <think>${thought}</think><answer>${letter}${answer}</answer>`;
}
