/** Claims with numbers and dates: sizes in millimetres, what changed since an earlier image, values of a patient's table. */
import type { Mention } from "../concepts/find.ts";
import type { FindingFacts, ImageFacts } from "./facts.ts";

/** What became of a finding since the earlier image; "none" says that nothing is new or has grown. */
export const CHANGES = ["new", "grown", "shrunk", "unchanged", "gone", "none"] as const;
export type ChangeName = (typeof CHANGES)[number];

/** "On the earlier image": the sentence is about that one. */
export function isAboutEarlier(sentence: string): boolean {
  return /\b(?:earlier|previous|prior|first) (?:image|film|scan|study|examination)\b/i.test(sentence);
}

export interface Measure {
  readonly mm: number;
  /** Of the largest of its kind, wherever it lies. */
  readonly largest: boolean;
}

/** The size that a sentence gives a finding ("a nodule of 14 mm", "a 1.4 cm nodule"); `text` lies between its neighbours. */
export function measureIn(text: string, { start, end }: Pick<Mention, "start" | "end">, from: number): Measure | null {
  const [before, after] = [text.slice(0, start - from), text.slice(end - from)];
  const found = /^[^.]*?(\d+(?:\.\d+)?)\s?(mm|cm)\b/i.exec(after) ?? /(\d+(?:\.\d+)?)\s?(mm|cm)\b[^.]*$/i.exec(before);
  if (found === null) return null;
  const mm = Number(found[1]) * (found[2]!.toLowerCase() === "cm" ? 10 : 1);
  return { mm, largest: /\b(?:largest|biggest)\s*$/i.test(before) };
}

/** What a sentence says became of its finding; `isDenied`: the finding is ("no nodule is new"). */
export function changeIn(sentence: string, isDenied: boolean): ChangeName | null {
  const said = CHANGE.find(([pattern]) => pattern.test(sentence))?.[1];
  return said === undefined ? null : isDenied ? "none" : said;
}

const CHANGE: readonly (readonly [RegExp, ChangeName])[] = [
  [/\b(?:has|have) (?:grown|increased)\b/i, "grown"],
  [/\b(?:has|have) (?:shrunk|decreased)\b/i, "shrunk"],
  [/\b(?:is|are) (?:unchanged|stable)\b/i, "unchanged"],
  [/\b(?:is|are) (?:gone|resolved)\b/i, "gone"],
  [/\b(?:is|are) new\b/i, "new"],
];

/** "The CRP is 82": a value of the table with its place in the sentence; null for anything else. */
export function valueIn(sentence: string): {
  readonly name: string;
  readonly value: number;
  readonly start: number;
  readonly end: number;
} | null {
  const found = /\b(age|CRP|LDH|hemoglobin|albumin|lymphocytes)\s(?:is|are)\s(\d+(?:\.\d+)?)(?![\d%])/i.exec(sentence);
  if (found === null) return null;
  const { index } = found;
  return { name: found[1]!.toLowerCase(), value: Number(found[2]), start: index, end: index + found[0].length };
}

/** Sizes agree within 3 mm or 15 % of the true one, whichever is more (ours: about a pixel of a small image). */
export function sizesAgree(said: number, known: number): boolean {
  return Math.abs(said - known) <= Math.max(3, 0.15 * known);
}

/** Whether findings have a size; null where their facts do not say. */
export function measures({ mm, largest }: Measure, findings: readonly FindingFacts[]): boolean | null {
  const known = findings.flatMap(({ size_mm }) => size_mm ?? []);
  if (known.length === 0) return findings.length === 0 ? false : null;
  return largest ? sizesAgree(mm, Math.max(...known)) : known.some((size) => sizesAgree(mm, size));
}

/** Whether a change holds of one of the findings that are meant, now and on the earlier image. */
export function hasChanged(
  change: ChangeName,
  now: readonly FindingFacts[],
  before: readonly FindingFacts[],
): boolean | null {
  const changes = [...now.map((one) => changeOf(one, before)), ...before.filter((one) => !isAmong(one, now)).map(gone)];
  if (change !== "none") return changes.length === 0 ? false : changes.includes(change);
  return !changes.some((one) => one === "new" || one === "grown");
}

/** By 20 % of the earlier size, as progression is judged (RECIST 1.1); smaller by as much is shrunk (ours). */
function changeOf(now: FindingFacts, before: readonly FindingFacts[]): ChangeName | null {
  const then = before.find((one) => isSame(one, now));
  if (then === undefined) return "new";
  if (then.size_mm === undefined || now.size_mm === undefined) return null;
  const ratio = now.size_mm / then.size_mm;
  return ratio >= 1.2 ? "grown" : ratio <= 0.8 ? "shrunk" : "unchanged";
}

const gone = (): ChangeName => "gone";

function isAmong(one: FindingFacts, all: readonly FindingFacts[]): boolean {
  return all.some((other) => isSame(one, other));
}

function isSame(a: FindingFacts, b: FindingFacts): boolean {
  return a.finding === b.finding && a.side === b.side && a.place === b.place;
}

/** Whether the table has the value; null where there is none of that name. */
export function hasValue(name: string, value: number, { table }: ImageFacts): boolean | null {
  const known = table?.[name];
  return typeof known === "number" ? known === value : null;
}
