/** The number that an answer gives, in the unit asked for; nothing is guessed from a range or an inequality. */
import type { NumericTarget } from "../core/records.ts";
import { clean, words } from "./normalise.ts";
import { isPlainNumber } from "./numbers.ts";
import { withoutStatus } from "./survival.ts";

/** What one of a unit is in the smallest of its kind. Months have 365.25 / 12 days, so that 12 of them are a year. */
const KINDS: readonly Readonly<Record<string, number>>[] = [
  { mm: 1, cm: 10, m: 1000 },
  { day: 1, week: 7, month: 365.25 / 12, year: 365.25 },
  { mg: 1, g: 1000, kg: 1e6 },
  { ml: 1, l: 1000 },
];

const NAMES: ReadonlyMap<string, string> = new Map([
  ...["day", "week", "month", "year"].flatMap((name) => [[name, name] as const, [`${name}s`, name] as const]),
  ...["millimeter", "millimetre"].flatMap((name) => [[name, "mm"] as const, [`${name}s`, "mm"] as const]),
  ...["centimeter", "centimetre"].flatMap((name) => [[name, "cm"] as const, [`${name}s`, "cm"] as const]),
  ...["mm", "cm", "m", "mg", "g", "kg", "ml", "l"].map((name) => [name, name] as const),
]);

/**
 * The last number of an answer, converted to `unit` where it says another of that kind ("2.4 cm" is 24 mm). Null without a
 * number, beside a range or an inequality, and for a unit of another kind. The code of a status ("1:DECEASED") is no number.
 */
export function numberOf(answer: string, unit?: string): number | null {
  const all = words(withoutStatus(clean(answer)));
  const found = all.flatMap(({ token }, i) => {
    if (!/\d/.test(token)) return [];
    return [isPlainNumber(token) ? inUnit(Number(token), all[i + 1]?.token, unit) : null];
  });
  return found.includes(null) ? null : (found.at(-1) ?? null);
}

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

function inUnit(value: number, said: string | undefined, wanted: string | undefined): number | null {
  const [from, to] = [said, wanted].map((name) => NAMES.get(name?.toLowerCase() ?? ""));
  if (from === undefined || to === undefined || from === to) return value;
  const kind = KINDS.find((units) => from in units && to in units);
  return kind === undefined ? null : (value * kind[from]!) / kind[to]!;
}
