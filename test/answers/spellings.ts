/** Decimal numbers and the ways in which answers write them. */
import type { Draw } from "./drawing.ts";

/** sign x digits x 10^exponent. */
export interface Decimal {
  readonly sign: number;
  readonly digits: number;
  readonly exponent: number;
}

/** From 1.1e-3 to 8e4, of either sign, with two or three digits. */
export function decimal(draw: Draw): Decimal {
  const digits = 11 + 10 * draw.below(80) + draw.below(8); // ends in no zero
  return { sign: draw.below(2) === 0 ? 1 : -1, digits, exponent: draw.below(7) - 4 };
}

/** What a lost sign, point, power or digit makes of a number. */
export function neighbours(value: Decimal): readonly Decimal[] {
  const { sign, digits, exponent } = value;
  return [
    { ...value, sign: -sign },
    { ...value, exponent: exponent + 1 },
    { ...value, exponent: exponent - 1 },
    { ...value, exponent: exponent + 3 },
    { ...value, digits: digits + 1 },
  ];
}

/** As a reference is written: "-0.25", "1500". */
export function plainSpelling({ sign, digits, exponent }: Decimal): string {
  const text = String(digits);
  const whole = exponent >= 0 ? text + "0".repeat(exponent) : text.slice(0, exponent) || "0";
  const part = exponent >= 0 ? "" : `.${text.slice(exponent).padStart(-exponent, "0")}`;
  return `${sign < 0 ? "-" : ""}${whole}${part}`;
}

/** The same number in other spellings: thousands apart, a decimal comma, no leading zero, powers of ten, minus signs. */
export function spellings(draw: Draw, value: Decimal): readonly string[] {
  const size = { ...value, sign: 1 };
  const minus = value.sign < 0 ? draw.pick(["-", "\u2212", "\u2013", "\u2011", "\uff0d", "minus "]) : "";
  const text = plainSpelling(size);
  const [whole = "", part] = text.split(".");
  const tail = part === undefined ? "" : `.${part}`;
  const isSmall = whole === "0";
  const shift = 2 + draw.below(3);
  const up = [..."⁰¹²³⁴⁵⁶⁷⁸⁹"][shift]!;
  const below = plainSpelling({ ...size, exponent: size.exponent - shift });
  const above = plainSpelling({ ...size, exponent: size.exponent + shift });
  return [
    ...[text, whole.replace(/\B(?=(?:\d{3})+$)/g, ",") + tail, wide(text)],
    ...(part === undefined ? [] : [`${text}0`]),
    ...(part !== undefined && isSmall ? [tail] : []),
    ...(part !== undefined && (isSmall || part.length !== 3) ? [`${whole},${part}`] : []), // "1,500" is a thousand and a half
    ...[`${below} x 10^${shift}`, `${below}×10${up}`, `${below}e${shift}`, `${below} \\times 10^{${shift}}`],
    ...[`${above} x 10^-${shift}`, `${above}·10⁻${up}`, `${above}E-${shift}`],
  ].map((spelled) => minus + spelled);
}

function wide(text: string): string {
  return text.replace(/[\d.]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0));
}
