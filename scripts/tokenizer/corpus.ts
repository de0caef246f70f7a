/** The training texts of viva-tiny's tokenizer: training splits only, in the prompts of a run, and fixed texts. */
import { promptStyle, questionMessages } from "../../src/answers/prompts.ts";
import { ANSWER_CLOSE, ANSWER_OPEN, TAGS, THINK_CLOSE, THINK_OPEN } from "../../src/answers/tags.ts";
import type { Example } from "../../src/core/records.ts";
import { datasets } from "../../src/data/index.ts";

export interface CountedText {
  readonly text: string;
  readonly count: number;
}

export interface Corpus {
  readonly texts: readonly CountedText[];
  /** By data set name. */
  readonly questions: Readonly<Record<string, readonly string[]>>;
}

/** Texts that prompts and completions repeat besides the questions, so that they take few tokens. */
const FIXED_TEXTS: readonly string[] = [
  ...TAGS,
  `${THINK_OPEN}${THINK_CLOSE}${ANSWER_OPEN}${ANSWER_CLOSE}`,
  `${THINK_CLOSE}\n${ANSWER_OPEN}`,
  ...["system\n", "user\n", "assistant\n", "You are a helpful assistant."],
  promptStyle("answer_only").user.replace(/\{\w+\}/g, ""),
];

/** Each question in its prompt, each answer and rationale with its frequency; a fixed text once per question. */
export async function loadCorpus(paths: { readonly slake: string; readonly vqaRad: string }): Promise<Corpus> {
  const split = "train";
  const sets = {
    slake: await datasets.slake.load({ path: paths.slake, split }),
    vqa_rad: await datasets.vqa_rad.load({ path: paths.vqaRad, split }),
    phantom: await datasets.phantom.load({ split }),
  };
  const examples = Object.values(sets).flat();
  return {
    texts: [
      ...examples.flatMap(textsOf).map((text) => ({ text, count: 1 })),
      ...FIXED_TEXTS.map((text) => ({ text, count: examples.length })),
    ],
    questions: Object.fromEntries(
      Object.entries(sets).map(([name, rows]) => [name, rows.map(({ question }) => question)]),
    ),
  };
}

/** The answer is separate, without its tags, so that it has the same tokens wherever it occurs. */
function textsOf(example: Example): readonly string[] {
  const prompt = questionMessages(example, promptStyle("think_answer")).flatMap(({ content }) =>
    content.flatMap((part) => (part.type === "text" ? [part.text] : [])),
  );
  return [...prompt, example.answer, ...(example.rationale === undefined ? [] : [example.rationale])];
}
