/**
 * Scores as MedEvalKit does (yes/no and open questions as in its VQA-RAD, options as in its OmniMedVQA): everything in
 * lower case, `\boxed{…}` or the answer tags, then what follows phrases such as "answer is". Its defects, which the lenient
 * reading keeps so that it gives the tool's own figure, are listed in docs/evaluation.md.
 */
import { optionLetter, rightOption } from "../../answers/choice.ts";
import { referencePolarity } from "../../answers/closed.ts";
import type { Example } from "../../core/records.ts";
import { type Outcome, outcome, type Protocol, verdictOf } from "./protocol.ts";
import { mostSimilar } from "./similarity.ts";

export const medevalkit: Protocol = {
  name: "medevalkit",
  description: "MedEvalKit: \\boxed{} or answer tags, letter or text; lenient adds its guess by similarity",
  strict: (example, completion) => verdictOf(completion, ...strict(example, completion)),
  lenient: (example, completion) => verdictOf(completion, ...lenient(example, completion)),
};

type Judged = readonly [text: string, outcome: Outcome];

/** The tool's verdict. */
function lenient(example: Example, completion: string): Judged {
  if (example.answerType === "choice") return guessedOption(example, completion);
  const answer = example.answer.toLowerCase().trim();
  const text = parsed(extracted(completion).toLowerCase().trim());
  if (example.answerType === "open") return [text, outcome(text === answer)];
  const line = text.replaceAll("\n", "").replaceAll(".", "");
  if (answer !== "yes" && answer !== "no") return [text, outcome(line === answer)];
  if (line.includes("yes") === line.includes("no")) return [text, "unreadable"];
  return [text, outcome(line.includes(answer))];
}

/** The same answer, trimmed and compared without guessing: whole words yes or no, a letter or an option's text. */
function strict(example: Example, completion: string): Judged {
  const answer = plain(example.answer);
  if (example.answerType === "choice") return namedOption(example, completion);
  const text = parsed(extracted(completion).toLowerCase().trim());
  if (plain(text) === "") return [text, "unreadable"];
  const polarity = example.answerType === "closed" ? referencePolarity(example.answer) : null;
  if (polarity === null) return [text, outcome(plain(text) === answer)];
  const says = new Set(text.match(/\b(?:yes|no)\b/g));
  return [text, says.size === 1 ? outcome(says.has(polarity)) : "unreadable"];
}

function guessedOption(example: Example, completion: string): Judged {
  const right = rightOption(example);
  const options = example.choices.map((text, i) => `${optionLetter(i)}. ${text}`.toLowerCase());
  const text = optionPart(example, tagged(completion));
  const said = labelPart(text);
  const letter = letterIndex(said, options.length);
  if (letter >= 0) return [said, outcome(letter === right)];
  // The tool compares with "a. text", from which the part before the first stop differs always: the text is never found.
  return [text, outcome(mostSimilar(options, text) === right)];
}

function namedOption(example: Example, completion: string): Judged {
  const right = rightOption(example);
  const text = optionPart(example, tagged(completion));
  const said = labelPart(text).trim();
  const letter = letterIndex(said.replace(/^\((.)\)$/, "$1"), example.choices.length);
  const texts = example.choices.map(plain);
  const bare = plain(text.replace(/^\(?[a-z][).:]\s+/, ""));
  const same = texts.flatMap((option, i) => (option === bare || option === plain(text) ? [i] : []));
  const named = letter >= 0 ? [letter] : same;
  return named.length === 1 ? [text, outcome(named[0] === right)] : [text, "unreadable"];
}

/** The text of which the tool takes the label: a letter that is a paragraph of its own, else the parsed answer. */
function optionPart(example: Example, completion: string): string {
  const lower = completion.toLowerCase();
  const paragraphs = lower.split("\n\n");
  const [first, last] = [paragraphs[0]!, paragraphs.at(-1)!.split(".")[0]!];
  const lone = [first, last].find((part) => letterIndex(part, example.choices.length) >= 0);
  return parsed(lone ?? lower)
    .trim()
    .replaceAll("\n", "");
}

/** Up to the first stop, after the last colon. */
function labelPart(text: string): string {
  return text.split(".")[0]!.split(":").at(-1)!;
}

function letterIndex(text: string, options: number): number {
  const index = text.length === 1 ? text.charCodeAt(0) - 97 : -1;
  return index >= 0 && index < options ? index : -1;
}

function extracted(completion: string): string {
  const boxed = boxedContent(completion);
  return boxed !== "None" ? boxed : tagged(completion);
}

/** The contents of all answer tags, by blanks; the whole text where they hold nothing. */
function tagged(text: string): string {
  const contents = Array.from(text.matchAll(/<answer>(.*?)<\/answer>/gs), ([, content]) => content!);
  return contents.join(" ").trim() || text;
}

const PHRASES = [
  "**answer**:",
  "**answer**",
  "*answer*:",
  "**answer:**",
  "answer is",
  "answer:",
  "答案:",
  "final answer",
  "final answer is",
];

function parsed(text: string): string {
  const lower = text.toLowerCase();
  const start = lower.includes("boxed") ? boxedContent(lower) : lower.includes("<answer>") ? tagged(lower) : lower;
  return PHRASES.reduce((rest, phrase) => rest.split(phrase).at(-1)!, start);
}

/** The content of the last `\boxed{…}` with its braces paired; the word "None" without one. */
function boxedContent(text: string): string {
  const opening = "\\boxed{";
  const at = text.lastIndexOf(opening);
  const start = at + opening.length;
  let depth = 0;
  for (let i = start; at >= 0 && i < text.length; i++) {
    if (text[i] === "{") depth++;
    else if (text[i] === "}" && depth-- === 0) return text.slice(start, i).trim();
  }
  return "None";
}

function plain(text: string): string {
  return text.toLowerCase().replace(/\s+/g, " ").trim().replace(/\.$/, "");
}
