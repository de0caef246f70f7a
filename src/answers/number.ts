/** The number that an answer gives, in the unit asked for; nothing is guessed from a range, an inequality, or two numbers. */
import type { NumericTarget } from "../core/records.ts";
import { readings } from "./negation.ts";
import { clean, type Word, words } from "./normalise.ts";
import { isPlainNumber } from "./numbers.ts";
import { withoutStatus } from "./survival.ts";

/** What one of a unit is in the smallest of its kind. Months have 365.25 / 12 days, so that 12 of them are a year. */
const KINDS: readonly Readonly<Record<string, number>>[] = [
  { um: 0.001, mm: 1, cm: 10, m: 1000, inch: 25.4 },
  { minute: 1 / 1440, hour: 1 / 24, day: 1, week: 7, month: 365.25 / 12, year: 365.25 },
  { ug: 0.001, mg: 1, g: 1000, kg: 1e6 },
  { ml: 1, dl: 100, l: 1000 },
  ...["percent", "permille", "hu", "mmhg", "bpm", "kev", "mev", "hz", "tesla"].map((unit) => ({ [unit]: 1 })),
];

const NAMES: ReadonlyMap<string, string> = new Map([
  ...KINDS.flatMap((kind) => Object.keys(kind)).map((name) => [name, name] as const),
  ...["minute", "hour", "day", "week", "month", "year"].map((name) => [`${name}s`, name] as const),
  ...named("millimeter millimetre millimeters millimetres", "mm"),
  ...named("centimeter centimetre centimeters centimetres", "cm"),
  ...named("μm micron microns micrometer micrometers micrometre micrometres", "um"),
  ...named("in inches", "inch"),
  ...[...named("min mins", "minute"), ...named("h hr hrs", "hour"), ...named("d", "day"), ...named("wk wks", "week")],
  ...[...named("mo mos", "month"), ...named("y yr yrs", "year"), ...named("μg mcg", "ug"), ...named("cc", "ml")],
]);

function named(names: string, unit: string): readonly (readonly [string, string])[] {
  return names.split(" ").map((name) => [name, unit] as const);
}

/**
 * The number of an answer, converted to `unit` where it says another of that kind ("2.4 cm" is 24 mm). Of several, those
 * with a unit of that kind count alone. Null without a number, where two differ, beside a range or an inequality, and for a
 * unit of another kind. The code of a status ("1:DECEASED"), names ("T1", "IL-6") and what is denied are no numbers.
 */
export function numberOf(answer: string, unit?: string): number | null {
  const cleaned = withoutStatus(clean(answer));
  const all = words(cleaned);
  if (all.some(({ token }) => UNREAD.has(token))) return null;
  const read = readings(cleaned, all);
  const found = all.flatMap((word, i) => {
    if (!/^\P{L}*\d/u.test(word.token) || /\p{L}-$/u.test(cleaned.slice(Math.max(0, word.start - 2), word.start)))
      return [];
    if (read[i]!.assertion === "denied" && read[i]!.adjacent) return [];
    if (isOperand(cleaned, word)) return [{ value: null, isMeasured: true }];
    const isJoined = /^(?:and|or)$/.test(all[i + 1]?.token ?? "") && isPlainNumber(all[i + 2]?.token ?? "");
    if (isJoined) return [{ value: null, isMeasured: true }]; // "24 or 30 mm"
    return [
      isPlainNumber(word.token) ? inUnit(Number(word.token), unitAfter(cleaned, word, all[i + 1]), unit) : NOTHING,
    ];
  });
  const measured = found.filter(({ isMeasured }) => isMeasured);
  const counted = measured.length > 0 ? measured : found;
  const [first = NOTHING] = counted;
  const { value } = first;
  const differs = (other: number | null) =>
    value === null || other === null || Math.abs(other - value) > 1e-9 * Math.abs(value);
  return counted.some((one) => differs(one.value)) ? null : value;
}

/** Whether something is to be done with the number first: "×5", "log 5", "the square root of 2", "5 - x", "5 to". */
function isOperand(cleaned: string, { start, end }: Word): boolean {
  return (
    BEFORE_OPERAND.test(cleaned.slice(Math.max(0, start - 24), start)) ||
    AFTER_OPERAND.test(cleaned.slice(end, end + 24))
  );
}

const BEFORE_OPERAND =
  /(?:(?:^|[\s(=])\p{L}?\s?[×÷/^]|\p{L}\s?[/^÷]|\b(?:square|cube|cubic) root(?: of)?|\b(?:sqrt|log|ln|exp|sin|cos|tan|twice|thrice|plus or(?: minus)?|between|from)\s?\(?|\b[a-z]\()\s?$/u;
const AFTER_OPERAND =
  /^\s?%?\s?(?:π|pi\b|sqrt\b|squared\b|cubed\b|factorial\b|mod\b|choose\b|to the power\b|plus or minus\b|(?:plus|minus|times|of|out of|to|and|or|between)\W*$|e[-+]?\s*$|[-+×*÷/]\s?(?:[b-z]|\?)(?![\p{L}\d])|\*\s*\+)/u;

/** Words that make another number of the one beside them. */
const UNREAD = new Set("hundred thousand million billion dozen half quarter".split(" "));

interface Measured {
  readonly value: number | null;
  /** It is followed by a unit of the kind asked for. */
  readonly isMeasured: boolean;
}

const NOTHING: Measured = { value: null, isMeasured: false };

/** Whether a number answers a target: equal within its tolerance, or beyond a time that is censored. */
export function meetsTarget(value: number, { value: wanted, tolerance = 0, event }: NumericTarget): boolean {
  return Math.abs(value - wanted) <= tolerance + 1e-9 * Math.abs(wanted) || (event === false && value >= wanted);
}

/** The target of a question; where the record has none, the number of its answer, exactly. */
export function targetOf({
  answer,
  target,
}: {
  readonly answer: string;
  readonly target?: NumericTarget | undefined;
}): NumericTarget | null {
  if (target !== undefined) return target;
  const value = numberOf(answer);
  return value === null ? null : { value };
}

/** The word after a number with what is divided by ("mg/dl"); undefined for none. */
function unitAfter(cleaned: string, number: Word, next: Word | undefined): string | undefined {
  if (next === undefined || !/^[\s([*`-]{0,4}$/.test(cleaned.slice(number.end, next.start))) return undefined;
  const per = /^\s?\/\s?\p{L}+/u.exec(cleaned.slice(next.end, next.end + 24))?.[0] ?? "";
  return (next.token + per.replace(/\s/g, "")).toLowerCase();
}

function inUnit(value: number, said: string | undefined, wanted: string | undefined): Measured {
  if (said !== undefined && said === wanted?.toLowerCase()) return { value, isMeasured: true };
  const [from, to] = [said, wanted].map((name) => NAMES.get(name?.toLowerCase() ?? ""));
  if (wanted === undefined) return { value, isMeasured: false };
  const isOther = said !== undefined && NAMES.has(/^(\p{L}+)(?:\/|[23]$)/u.exec(said)?.[1] ?? ""); // "mg/dl", "mm2"
  if (from === undefined) return { value: isOther ? null : value, isMeasured: false };
  const kind = to === undefined ? undefined : KINDS.find((units) => from in units && to in units);
  return kind === undefined ? NOTHING : { value: (value * kind[from]!) / kind[to!]!, isMeasured: true };
}
