/**
 * Images of the phantom world with texts about them, as a language model of images is pre-trained on: reports, and now and
 * then a page of a teaching file, where a report becomes a question with its reasoned answer.
 */
import { fold, type RandomKey, uniform } from "../../../core/random.ts";
import type { Example } from "../../../core/records.ts";
import type { Dataset } from "../../dataset.ts";
import type { Question } from "./questions.ts";
import { rationaleOf } from "./rationale.ts";
import { pickKinds, type Scene } from "./scene.ts";
import { loadWorld, type WorldOptions, worldCase, worldExample } from "./world.ts";

/** Share of texts that ask and answer; enough to have met the form, too few to be good at it. */
const TEACHING_SHARE = 0.1;

export const phantomReports: Dataset = {
  name: "phantom_reports",
  description:
    "Phantom reports: generated images with report texts, to pre-train on (question is empty, answer the text)",
  licence: "Apache-2.0 (generated; shows no person)",
  obtain: "nothing to get: it is generated from the seed",
  load: (options) => loadWorld("phantom_reports", options, reportExample),
};

/** The text at an index of a split, as the answer to nothing; its images are in no split of the questions. */
function reportExample(seed: number, split: string, index: number, options: WorldOptions): Example {
  const own = `${split} reports`;
  const { asked, scene, key } = worldCase(seed, own, index, options.difficulty);
  const { choices: _, rationale: __, ...example } = worldExample(seed, own, index, options);
  const text = uniform(fold(key, "text"), 0) < TEACHING_SHARE ? teachingPage(asked, scene) : report(scene, key);
  return { ...example, question: "", answer: text, answerType: "open", choices: [], meta: { ...example.meta, split } };
}

/** What the image is, what it shows and where, up to two things that it does not show, and what that comes to. */
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
