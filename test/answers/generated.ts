/**
 * Answers made from rules whose truth is known: what is said is drawn first, and then put into words. Nothing here knows how
 * answers are read.
 */
import type { Question } from "../../src/answers/match.ts";
import type { AnswerStyle } from "../../src/answers/tags.ts";
import { type Draw, drawing } from "./drawing.ts";
import { type Decimal, decimal, neighbours, plainSpelling, spellings } from "./spellings.ts";
import { CLOSE_SETS, FINDINGS, MODALITIES, ORGANS, templates } from "./templates.ts";

/** `right`, or `wrong` for another answer, or `none`: no answer that could be read. */
export type Truth = "right" | "wrong" | "none";

export interface GeneratedAnswer {
  readonly rule: string;
  readonly question: Question;
  readonly completion: string;
  readonly style: AnswerStyle;
  readonly strict: Truth;
  readonly lenient: Truth;
  /** Plain enough that it must be read; the others may be unreadable, but never mistaken. */
  readonly plain: boolean;
}

/** `count` answers of every rule. */
export function generate(count: number, seed: number): readonly GeneratedAnswer[] {
  return Object.entries(rules).flatMap(([rule, make], r) => {
    const draw = drawing(seed * 1009 + r);
    return Array.from({ length: count }, (): GeneratedAnswer => {
      const { truth, ...made } = make(draw);
      return { rule, plain: true, style: "plain", strict: truth, lenient: truth, ...made };
    });
  });
}

type Made = Pick<GeneratedAnswer, "question" | "completion"> & Partial<GeneratedAnswer> & { readonly truth: Truth };
type Choice = Question & { readonly answerIndex: number };

const letter = (index: number) => String.fromCharCode(65 + index);
const wide = (text: string) => text.replace(/[!-~]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0));

/** A choice question of at least so many options. */
function choice(draw: Draw, least = 2): Choice {
  const pool = draw.pick([FINDINGS, ORGANS, MODALITIES, ...CLOSE_SETS, ...CLOSE_SETS]);
  const source = pool.length >= least ? pool : FINDINGS;
  const choices = draw.shuffled(source).slice(0, least + draw.below(source.length - least + 1));
  return asked(choices, draw.below(choices.length));
}

function asked(choices: readonly string[], answerIndex: number): Choice {
  return { answer: choices[answerIndex]!, answerType: "choice", choices, answerIndex };
}

function open(answer: string): Question {
  return { answer, answerType: "open", choices: [] };
}

function truthOf(right: boolean): Truth {
  return right ? "right" : "wrong";
}

/** The option that is said, right two times in three, and its names. */
function said(draw: Draw, { answerIndex, choices }: Choice) {
  const index = draw.below(3) > 0 ? answerIndex : draw.below(choices.length);
  const [text, L] = [choices[index]!, letter(index)];
  const names = { L, l: L.toLowerCase(), text, TEXT: text.toUpperCase(), lower: text.toLowerCase() };
  return { index, truth: truthOf(index === answerIndex), names: { ...names, wide: wide(L), set: typeset(draw, text) } };
}

/** A template of the list, its names filled in. */
function phrase(draw: Draw, list: readonly string[], names: Readonly<Record<string, string>>): string {
  return draw.pick(list).replace(/<(\w+)>/g, (whole, name: string) => names[name] ?? whole);
}

/** Minus and plus as they are typeset. */
function typeset(draw: Draw, text: string): string {
  const minus = draw.pick(["-", "\u2212", "\u2011", "\uff0d"]);
  const signed = text.replace(/(?<![\p{L}\p{N}])-(?=\d)|(?<=[A-Z0-9h])-(?=$|\/)/gu, minus);
  return draw.pick([signed, signed.replace(/\+/g, "\uff0b"), wide(text)]);
}

/** Says one option in one of these ways. */
function saysOne(list: readonly string[], isPlain: (completion: string) => boolean = () => true) {
  return (draw: Draw): Made => {
    const question = choice(draw);
    const { truth, names } = said(draw, question);
    const completion = phrase(draw, list, names);
    return { question, completion, truth, plain: isPlain(completion) };
  };
}

/** Says none of the options, or several. */
function saysNone(list: readonly string[], least = 2) {
  return (draw: Draw): Made => {
    const question = choice(draw, least);
    const order = draw.shuffled([...question.choices.keys()]);
    const [a = 0, b = 0, c = b] = order;
    const [A, B, C] = [letter(a), letter(b), letter(c)];
    const beyond = letter(question.choices.length);
    const names = { A, B, C, beyond, a: question.choices[a]!, b: question.choices[b]! };
    return { question, completion: phrase(draw, list, names), truth: "none" };
  };
}

function answersClosed(list: readonly string[], says: "yes" | "no" | null) {
  return (draw: Draw): Made => {
    const [f, g, h] = draw.shuffled(FINDINGS);
    const answer = draw.pick(["yes", "no", "Yes.", "No"]);
    const question: Question = { answer, answerType: "closed", choices: [] };
    const truth = says === null ? "none" : truthOf(answer.toLowerCase().startsWith(says));
    return { question, completion: phrase(draw, list, { f: f!, g: g!, h: h! }), truth };
  };
}

/** A finding answered in a form, the right one two times in three; the thought before it names another. */
function inForm(draw: Draw, list: readonly string[]) {
  const [right, other] = draw.shuffled(FINDINGS);
  const isRight = draw.below(3) > 0;
  const x = isRight ? right! : other!;
  const thought = `<think>Perhaps ${other}. The answer is ${other}.</think>`;
  const completion = phrase(draw, list, { x, other: other!, thought }) + draw.pick(templates.ends);
  return { question: open(right!), completion, truth: truthOf(isRight) };
}

const rules: Readonly<Record<string, (draw: Draw) => Made>> = {
  letter: saysOne(templates.letter),
  // "A" and "I" are words as well
  letter_in_sentence: saysOne(templates.letterInSentence, (completion) => !/\b[AI]\b/.test(completion)),
  text: saysOne(templates.text),
  text_in_sentence: saysOne(templates.textInSentence, () => false),
  letter_and_text: saysOne(templates.letterAndText, (completion) => !/answer/i.test(completion)),
  letter_against_text: saysNone(templates.letterAgainstText),
  several: saysNone(templates.several),
  denied: saysNone(templates.denied, 3),
  neither: saysNone(templates.neither, 3),
  no_option: saysNone(templates.noOption),
  one_denied_one_affirmed(draw) {
    const question = choice(draw);
    const { index, truth, names } = said(draw, question);
    const other = letter(draw.pick([...question.choices.keys()].filter((i) => i !== index)));
    return { question, completion: phrase(draw, templates.denialAndChoice, { ...names, other }), truth, plain: false };
  },
  yes: answersClosed(templates.yes, "yes"),
  no: answersClosed(templates.no, "no"),
  perhaps: answersClosed(templates.perhaps, null),
  same_number(draw) {
    const { value, unit } = measured(draw);
    const completion =
      draw.pick(spellings(draw, value)) + draw.pick(unit === "" ? [""] : [` ${unit}`, unit, `\u00a0${unit}`]);
    return { question: open(withUnit(value, unit)), completion, truth: "right" };
  },
  other_number(draw) {
    const { value, unit } = measured(draw);
    const completion = `${draw.pick(spellings(draw, draw.pick(neighbours(value))))} ${unit}`;
    return { question: open(withUnit(value, unit)), completion, truth: "wrong" };
  },
  bounded_number(draw) {
    const n = 2 + draw.below(90);
    const bounds = [`<${n}`, `>${n}`, `≤${n}`, `≥${n}`, `${n}-${n + 3}`, `${n}+`, `-${n}`];
    const [a, b] = draw.shuffled([...bounds, `${n}`, `1/${n}`, `${n}%`, `10^${2 + (n % 7)}`]);
    const same = draw.pick([a!, ` ${a}`, `${a}.`, wide(a!), ...inWords(draw, a!)]);
    const isRight = draw.below(2) === 0;
    return { question: open(a!), completion: isRight ? same : b!, truth: truthOf(isRight) };
  },
  number_among_options(draw) {
    const { value, unit } = measured(draw);
    const values = draw.shuffled([value, ...neighbours(value).slice(0, 3)]);
    const question = asked(
      values.map((one) => withUnit(one, unit)),
      draw.below(values.length),
    );
    const { index, truth, names } = said(draw, question);
    const text = `${draw.pick(spellings(draw, values[index]!))} ${unit}`;
    return { question, completion: phrase(draw, ["<L>", "<text>", "<L>. <text>"], { ...names, text }), truth };
  },
  open_signs(draw) {
    const [a, b] = draw.shuffled(draw.pick(CLOSE_SETS));
    const isRight = draw.below(2) === 0;
    const completion = isRight ? draw.pick([a!, typeset(draw, a!), a!.toLowerCase(), `${a}.`]) : b!;
    return { question: open(a!), completion, truth: truthOf(isRight) };
  },
  open_list(draw) {
    const items = draw.shuffled([...ORGANS, ...FINDINGS]).slice(0, 2 + draw.below(3));
    const change = draw.below(3);
    const changed = change === 0 ? items : [...items.slice(1), ...(change === 1 ? [] : [`no ${items[0]}`])];
    const parts = draw.shuffled(changed);
    const separator = draw.pick(["; ", " and ", "\n", " & ", ", "]);
    const completion =
      parts.slice(0, -1).join(separator === " and " ? ", " : separator) +
      (parts.length > 1 ? separator : "") +
      parts.at(-1);
    return { question: open(items.join(", ")), completion, truth: truthOf(change === 0) };
  },
  open_denied(draw) {
    const f = draw.pick(FINDINGS);
    return { question: open(f), completion: phrase(draw, templates.deniedFinding, { f }), truth: "wrong" };
  },
  strict_form: (draw) => ({ ...inForm(draw, templates.strictForm), style: "think_answer" }),
  loose_form: (draw) => ({ ...inForm(draw, templates.looseForm), strict: "none", style: "think_answer" }),
  special_tokens: (draw) => inForm(draw, ["<x>", " <x>\n"]),
  empty(draw) {
    const completion = phrase(draw, templates.empty, { f: draw.pick(FINDINGS) });
    return { question: open(draw.pick(FINDINGS)), completion, truth: "none", style: "think_answer" };
  },
};

/** A bound as words, markup and LaTeX write it. */
function inWords(draw: Draw, bound: string): readonly string[] {
  const [, sign, n] = /^([<>≤≥])(\d+)$/.exec(bound) ?? [];
  if (sign === undefined) return [];
  const forms = {
    "<": [`&lt;${n}`, `\\lt ${n}`, `less than ${n}`],
    ">": [`&gt; ${n}`, `exceeding ${n}`, `more than ${n}`],
    "≤": [`${n} or less`, `$\\leq ${n}$`, `less than or equal to ${n}`],
    "≥": [`${n} or more`, `&ge;${n}`, `no fewer than ${n}`],
  };
  return [`${sign} ${n}`, draw.pick(forms[sign as keyof typeof forms])];
}

function measured(draw: Draw): { readonly value: Decimal; readonly unit: string } {
  return { value: decimal(draw), unit: draw.pick(["", "cm", "mm", "HU", "ml", "mg/dl"]) };
}

function withUnit(value: Decimal, unit: string): string {
  return `${plainSpelling(value)} ${unit}`.trim();
}
