/** How a question is put to a model, and how its answer is written as a target to learn from. */
import { UserError } from "../core/errors.ts";
import type { EncodeOptions, Processor, PromptTemplate } from "../core/processor.ts";
import type { Example, ImageRef, Message, Prompt } from "../core/records.ts";
import { optionLetter, rightOption } from "./choice.ts";
import { isSurvival, SURVIVAL_FORM, survivalText } from "./survival.ts";
import { type AnswerStyle, TAGS_OF, THINK_CLOSE, THINK_OPEN } from "./tags.ts";

/** A user turn from a template with {question} and {choices}; the style says what the completion should look like. */
export interface PromptStyle {
  readonly style: AnswerStyle;
  readonly system: string | null;
  readonly user: string;
  /** The model's own chat template (default), a plain transcript for models that know none, or the bare text. */
  readonly template?: PromptTemplate;
  /** Text that the assistant's turn begins with; part of the prompt, not of the completion. */
  readonly assistant_prefix?: string | null;
}

/** Names that stand for a whole PromptStyle. */
export type PromptName = AnswerStyle | "base";

const templates: Readonly<Record<AnswerStyle, string>> = {
  think_answer:
    "{question}{choices}\nReason inside <think> </think>, then give the final answer inside <answer> </answer>.",
  answer_only: "{question}{choices}\nGive the answer inside <answer> </answer>.",
  plain: "{question}{choices}",
  reasoning_prediction:
    "{question}{choices}\nReason inside <reasoning> </reasoning>, sum up inside <comment> </comment>, then give the final answer inside <prediction> </prediction>.",
  json: '{question}{choices}\nAnswer with one JSON object and nothing else: {"think": your reasoning, "answer": the final answer}.',
};

/** For base models: a transcript that ends in an opened thought (R1-Zero's prompt, arXiv 2501.12948). */
const base: PromptStyle = {
  style: "think_answer",
  template: "transcript",
  system:
    "A conversation between User and Assistant. The User asks a question about an image, and the Assistant solves it. " +
    "The Assistant first reasons inside <think> </think>, then gives the final answer inside <answer> </answer>.",
  user: "{question}{choices}",
  assistant_prefix: ` Let me solve this step by step.\n${THINK_OPEN}`,
};

/** The built-in prompt of a name. */
export function promptStyle(name: PromptName): PromptStyle {
  return name === "base" ? base : { style: name, system: null, user: templates[name] };
}

/** How a processor renders a prompt of this style. */
export function encodeOptions({ template = "chat", assistant_prefix }: PromptStyle): EncodeOptions {
  return { template, assistantPrefix: assistant_prefix ?? "" };
}

/** A question and the texts of its options, as cases are compared and shown. */
export function questionWithOptions({ question, choices }: Pick<Example, "question" | "choices">): string {
  return choices.length === 0 ? question : `${question} (${choices.join("; ")})`;
}

/** What supervised training teaches of an example. */
export type Target = "answer" | "rationale_answer";

/** Solved examples that stand before a question as earlier turns, without their images, with the reply in this form. */
export interface Shots {
  readonly examples: readonly Example[];
  readonly target: Target;
}

/** The prompt that asks an example's question, with the answers that its type leaves: yes and no, or an option's letter. */
export async function encodeQuestion(
  processor: Processor,
  example: Example,
  prompt: PromptStyle,
  shots?: Shots,
): Promise<Prompt> {
  const { answerType, choices, subjectId } = example;
  const about = { question: questionWithOptions(example), subjectId };
  const messages = questionMessages(example, prompt, shots);
  const encoded = await processor.encode(messages, { ...encodeOptions(prompt), about });
  if (answerType === "closed") return { ...encoded, options: ["yes", "no"] };
  return answerType === "choice" ? { ...encoded, options: choices.map((_, i) => optionLetter(i)) } : encoded;
}

/** Whether a prompt's text ends in an opened `<think>`: the chat template's doing, or the prefix's. */
export function opensThought(text: string): boolean {
  return text.trimEnd().endsWith(THINK_OPEN);
}

/**
 * The chat that asks an example's question: solved examples, then its images, then the text, then its variant's instruction.
 */
export function questionMessages(example: Example, style: PromptStyle, shots?: Shots): readonly Message[] {
  const before = shots?.examples.flatMap((solved): Message[] => [
    ...questionTurns({ ...solved, images: [] }, style),
    { role: "assistant", content: [{ type: "text", text: targetText(solved, style.style, shots.target) }] },
  ]);
  return [...systemTurn(style), ...(before ?? []), ...questionTurns(example, style)];
}

/** What is told before, a turn each, then the question with its images; survival in the form of the style's layout. */
function questionTurns(example: Example, style: PromptStyle): Message[] {
  const { images, question, before = [], variant } = example;
  const instruction = variant === undefined ? "" : `\n${variant.instruction}`;
  const options = example.choices.map((choice, i) => `\n${optionLetter(i)}. ${choice}`).join("");
  const choices = style.style === "reasoning_prediction" && isSurvival(example) ? `\n${SURVIVAL_FORM}` : options;
  const told = before.flatMap((text): Message[] => [
    { role: "user", content: [{ type: "text", text }] },
    { role: "assistant", content: [{ type: "text", text: "Noted." }] },
  ]);
  return [...told, userTurn(images, { question, choices }, style, instruction)];
}

/**
 * A chat whose user turns are put as this style puts a question, which holds its options as text. Throws UserError for a
 * system message beside the style's own.
 */
export function messagesInStyle(messages: readonly Message[], style: PromptStyle): readonly Message[] {
  if (style.system !== null && messages.some(({ role }) => role === "system")) {
    throw new UserError("the prompt that is served has a system message of its own: leave yours out");
  }
  const turns = messages.map((message) => {
    if (message.role !== "user" || message.answersCall) return message;
    const images = message.content.flatMap((part) => (part.type === "image" ? [part.image] : []));
    const question = message.content.map((part) => (part.type === "text" ? part.text : "")).join("");
    return userTurn(images, { question, choices: "" }, style);
  });
  return [...systemTurn(style), ...turns];
}

function systemTurn({ system }: PromptStyle): readonly Message[] {
  return system === null ? [] : [{ role: "system", content: [{ type: "text", text: system }] }];
}

function userTurn(
  images: readonly ImageRef[],
  values: { readonly question: string; readonly choices: string },
  { user }: PromptStyle,
  behind = "",
): Message {
  const text = user.replace(/\{(question|choices)\}/g, (_, name: keyof typeof values) => values[name]) + behind;
  return {
    role: "user",
    content: [...images.map((image) => ({ type: "image", image }) as const), { type: "text", text }],
  };
}

/**
 * What supervised training teaches: the answer, or the reference reasoning and the answer, in the style's tags. Where the
 * prompt has opened the thought, the target begins inside it. Throws UserError where there is no rationale to teach.
 */
export function targetText(example: Example, style: AnswerStyle, target: Target, thinkOpened = false): string {
  const index = example.answerType === "choice" ? rightOption(example) : -1;
  const answer = index < 0 ? example.answer : `${optionLetter(index)}. ${example.choices[index]}`;
  const rationale = target === "rationale_answer" ? rationaleOf(example) : "";
  switch (style) {
    case "think_answer":
      return inTags(style, [rationale, answer]).slice(thinkOpened ? THINK_OPEN.length : 0);
    case "answer_only":
      return inTags(style, [answer]);
    case "plain":
      return rationale === "" ? answer : `${rationale} ${answer}`;
    case "reasoning_prediction":
      return inTags(style, [rationale, lastSentence(rationale), survivalText(example) ?? answer]);
    case "json":
      return JSON.stringify({ think: rationale, answer });
  }
}

function inTags(style: AnswerStyle, texts: readonly string[]): string {
  return TAGS_OF[style].map((tag, i) => `<${tag}>${texts[i]}</${tag}>`).join("");
}

/** What a rationale ends with is its summary (ours: the data has none). */
function lastSentence(rationale: string): string {
  return rationale
    .trim()
    .split(/(?<=[.!?])\s+/)
    .at(-1)!;
}

/**
 * The same turn by turn where the rationale holds calls of tools: each call ends a turn, its thought in the style's tags. One
 * text where it holds none.
 */
export function targetTurns(
  example: Example,
  style: AnswerStyle,
  target: "answer" | "rationale_answer",
  thinkOpened = false,
): readonly string[] {
  const parts = target === "rationale_answer" ? rationaleOf(example).split(/(<tool_call>.*?<\/tool_call>)/s) : [];
  const open = thinkOpened ? "" : THINK_OPEN;
  const thought = (text: string) => (style === "think_answer" ? `${open}${text.trim()}${THINK_CLOSE}` : text.trim());
  const calls = parts.flatMap((part, i) => (i % 2 === 1 ? [thought(parts[i - 1]!) + part] : []));
  const last = calls.length === 0 ? example : { ...example, rationale: parts.at(-1)!.trim() };
  return [...calls, targetText(last, style, target, thinkOpened)];
}

function rationaleOf({ id, rationale = "" }: Example): string {
  if (rationale.trim() !== "") return rationale;
  throw new UserError(
    `example "${id}" has no rationale to teach: give the data one, or set the stage's target: answer`,
  );
}
