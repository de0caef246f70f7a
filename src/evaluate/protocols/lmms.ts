/**
 * Scores as lmms-eval does: yes/no and open questions by exact match after the normalisation of its SLAKE task, options by
 * the letter search of its MMMU task. Where that search finds nothing the tool picks at random; here it is a parse failure.
 */
import { optionLetter, rightOption } from "../../answers/choice.ts";
import { normalisedTokens } from "../../answers/normalise.ts";
import type { Example } from "../../core/records.ts";
import { outcome, type Protocol, verdictOf } from "./protocol.ts";

export const lmms: Protocol = {
  name: "lmms",
  description:
    "lmms-eval: exact match of the whole text after its normalisation; of several letters lenient takes the last",
  strict: (example, completion) => judge(example, completion, false),
  lenient: (example, completion) => judge(example, completion, true),
};

function judge(example: Example, completion: string, lenient: boolean) {
  if (example.answerType === "choice") return judgeChoice(example, completion, lenient);
  const text = lmmsNormalise(completion);
  const wanted = lmmsNormalise(example.answer);
  if (!lenient && text === wanted && !sameSigns(completion, example.answer))
    return verdictOf(completion, completion, "wrong");
  const unreadable = text === "" || (isPolar(wanted) && example.answerType === "closed" && !isPolar(text));
  return verdictOf(completion, completion, unreadable && text !== wanted ? "unreadable" : outcome(text === wanted));
}

/** Whether two texts have the same numbers and signs, which the tool drops: "CD4+" and "CD4-", "-2.5" and "2.5". */
function sameSigns(a: string, b: string): boolean {
  if (/[(（]/.test(a + b)) return true; // what stands in brackets is no part of the answer
  const signed = (text: string) => normalisedTokens(text).filter((token) => /[<>≤≥+]|-$|^-?\d/.test(token));
  return signed(a).join(" ") === signed(b).join(" ");
}

function judgeChoice(example: Example, completion: string, lenient: boolean) {
  const found = candidates(completion, example.choices);
  const chosen = found.length === 1 || lenient ? lastOf(found) : undefined;
  if (chosen === undefined) return verdictOf(completion, completion, "unreadable");
  return verdictOf(completion, completion, outcome(chosen === rightOption(example)));
}

interface Candidate {
  readonly index: number;
  readonly at: number;
}

/** Options as "(A)", else "A ", else "A.", else by their text where the answer has more than five words. */
function candidates(completion: string, choices: readonly string[]): readonly Candidate[] {
  const text = ` ${withoutOuterSigns(completion)} `;
  const search = (spelt: (index: number) => string, last = spelt, among = text): readonly Candidate[] =>
    choices.flatMap((_, index) =>
      among.includes(spelt(index)) ? [{ index, at: among.lastIndexOf(last(index)) }] : [],
    );
  const bracketed = search((i) => `(${optionLetter(i)})`);
  if (bracketed.length > 0) return bracketed;
  const spaced = (i: number) => ` ${optionLetter(i)} `;
  const lettered = search((i) => `${optionLetter(i)} `, spaced);
  if (lettered.length > 0) return lettered;
  const dotted = search((i) => `${optionLetter(i)}.`, spaced);
  if (dotted.length > 0) return dotted;
  if (text.trim().split(/\s+/).length <= 5) return [];
  return search((i) => choices[i]!.toLowerCase(), undefined, text.toLowerCase());
}

/** The one that stands last; the first of equals. */
function lastOf(found: readonly Candidate[]): number | undefined {
  return found.reduce<Candidate | undefined>((best, one) => (best && best.at >= one.at ? best : one), undefined)?.index;
}

function withoutOuterSigns(text: string): string {
  return [",", ".", "!", "?", ";", ":", "'"].reduce((rest, sign) => {
    let start = 0;
    let end = rest.length;
    while (rest[start] === sign) start++;
    while (end > start && rest[end - 1] === sign) end--;
    return rest.slice(start, end);
  }, text);
}

/** Lower case, nothing in brackets, no punctuation (ASCII and Chinese), single blanks; ways of saying yes and no, "x ray". */
export function lmmsNormalise(text: string): string {
  const bare = text
    .trim()
    .toLowerCase()
    .replace(/\([^)]*\)/g, " ")
    .replace(/（[^）]*）/g, " ")
    .replace(/[!-/:-@[-`{-~！？｡。＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～、《》【】]/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  if (bare === "x ray") return "xray";
  return YES.has(bare) ? "yes" : NO.has(bare) ? "no" : bare;
}

const YES: ReadonlySet<string> = new Set("yes yeah yep true 是 是的 有 包含 可以 能 会 正常".split(" "));
const NO: ReadonlySet<string> = new Set("no nope false 否 不是 没有 无 不包含 不能 不会 不可以 不正常 异常".split(" "));

function isPolar(text: string): boolean {
  return text === "yes" || text === "no";
}
