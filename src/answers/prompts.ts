/** How a question is put to a model, and how its answer is written as a target to learn from. */
import type { Example, Message } from "../core/records.ts";
import { optionLetter, referenceOption } from "./choice.ts";
import { ANSWER_CLOSE, ANSWER_OPEN, type AnswerStyle, THINK_CLOSE, THINK_OPEN } from "./tags.ts";

/** A user turn from a template with {question} and {choices}; the style says what the completion should look like. */
export interface PromptStyle {
  readonly style: AnswerStyle;
  readonly system: string | null;
  readonly user: string;
}

const templates: Readonly<Record<AnswerStyle, string>> = {
  think_answer:
    "{question}{choices}\nReason inside <think> </think>, then give the final answer inside <answer> </answer>.",
  answer_only: "{question}{choices}\nGive the answer inside <answer> </answer>.",
  plain: "{question}{choices}",
};

/** The built-in prompt of a style. */
export function promptStyle(style: AnswerStyle): PromptStyle {
  return { style, system: null, user: templates[style] };
}

/** The chat that asks an example's question: its images first, then the text. */
export function questionMessages(example: Example, { system, user }: PromptStyle): readonly Message[] {
  const choices = example.choices.map((choice, i) => `\n${optionLetter(i)}. ${choice}`).join("");
  const values: Readonly<Record<string, string>> = { question: example.question, choices };
  const text = user.replace(/\{(question|choices)\}/g, (_, name: string) => values[name]!);
  const images = example.images.map((image) => ({ type: "image", image }) as const);
  const question: Message = { role: "user", content: [...images, { type: "text", text }] };
  return system === null ? [question] : [{ role: "system", content: [{ type: "text", text: system }] }, question];
}

/** What supervised training teaches: the answer, or the reference reasoning and the answer, in the style's tags. */
export function targetText(example: Example, style: AnswerStyle, target: "answer" | "rationale_answer"): string {
  const index = example.answerType === "choice" ? referenceOption(example.answer, example.choices) : -1;
  const answer = index < 0 ? example.answer : `${optionLetter(index)}. ${example.choices[index]}`;
  const rationale = target === "rationale_answer" ? (example.rationale ?? "") : "";
  switch (style) {
    case "think_answer":
      return `${THINK_OPEN}${rationale}${THINK_CLOSE}${ANSWER_OPEN}${answer}${ANSWER_CLOSE}`;
    case "answer_only":
      return `${ANSWER_OPEN}${answer}${ANSWER_CLOSE}`;
    case "plain":
      return rationale === "" ? answer : `${rationale} ${answer}`;
  }
}
