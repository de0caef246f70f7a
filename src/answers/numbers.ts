/**
 * Numbers as answers write them, each in one spelling: a sign, a power, a fraction or a range is part of the number and is
 * never lost. Texts are cleaned ones (`clean`).
 */

/** A number where it begins in a cleaned text. */
export interface FoundNumber {
  /** As compared: "0.5" for ".5" and "1/2", "-1000", "<5", "3-5", "3x4", "120/80", "2+", "5000" for "5 x 10^3". */
  readonly token: string;
  readonly end: number;
}

/**
 * Digits with a decimal point or comma, or with thousands apart: three digits after a comma are thousands unless a zero
 * leads ("1,500" is 1500, "0,500" and "1,5" are decimals); of several commas with fewer digits each parts a list ("1,2,3").
 */
const DIGITS =
  String.raw`(?:[1-9]\d{0,2}(?:,\d{3}){1,8}(?:\.\d+)?(?!\d)|\d{1,3}(?:\.\d{3}){1,8},\d+(?!\d)|\d{1,3}(?:\.\d{3}){2,8}(?![.,]?\d)` +
  String.raw`|(?<!\d,)\d+,\d+(?!,?\d)|\d+\.\d+|(?<![\p{L}\p{N}.,])\.\d+|\d+)`;
const POWER = String.raw`(?:\^\s?|\*\*)[({]?([-+]?\d{1,4})(?!\d)[)}]?`;
const VALUE = String.raw`(${DIGITS})(?:\s?[x×*·⋅]\s?10\s?${POWER}|e([-+]?\d{1,3})(?!\d)|\s?${POWER}|\s([1-9])/([248])(?![\d/]))?`;

const FIRST = new RegExp(String.raw`([<>]=?|[≤≥±√∛∜∑∏∫≠])?\s?((?<![\p{L}\p{N})\]])[-+])?${VALUE}`, "iuy");
/** What joins two numbers to one statement: a range, sides, a fraction or ratio, a sum, a deviation. */
const NEXT = new RegExp(
  String.raw`(?:(\s?[x×]\s?|\*|\sby\s|\s?/\s?|:|\s:\s|\s?±\s?|\s?\+\s?|-|\s-\s|\s?~\s?|\sto\s)([-+]?)${VALUE})`,
  "iuy",
);
const JOINTS: Readonly<Record<string, string>> = { to: "-", "~": "-", "×": "x", "*": "x", by: "x" };
/** "2+" is a grade; a minus after a number ends it only where nothing follows ("2-"). */
const AFTER = /\+{1,3}(?![\p{L}\p{N}])|-(?=\s*$|[)\].,;/])|\s[+-](?=\s*$|\s?[)\].,;/])/uy;

/** An operator whose other side is missing is kept with its number, which is no number then: "2^", "5 ×", "3/", "2√3". */
const LEFT_OPEN =
  /\s?(?:\^(?![{(]?\s?(?:[°o∘*]|st\b|nd\b|rd\b|th\b))[{(]?[)}]?|[√∛∜÷±≠≤≥≈]|[×⋅](?!\p{L})|[~/=x](?=\s*(?:$|[?).,;\]])))/iuy;

/** The number at a place of a cleaned text; null where none begins. */
export function numberAt(text: string, from: number): FoundNumber | null {
  const first = matchAt(FIRST, text, from);
  if (first === null) return null;
  const [whole, comparison = "", sign = "", ...value] = first;
  let end = from + whole.length;
  let joined = "";
  const parts = [sign === "-" ? negative(valueFrom(value)) : valueFrom(value)];
  for (let next = matchAt(NEXT, text, end); next !== null; next = matchAt(NEXT, text, end)) {
    const [all, separator = "", nextSign = "", ...nextValue] = next;
    const joint = separator.trim().toLowerCase();
    joined += JOINTS[joint] ?? joint;
    parts.push(nextSign === "-" ? negative(valueFrom(nextValue)) : valueFrom(nextValue));
    end += all.length;
  }
  const after = (matchAt(AFTER, text, end) ?? matchAt(LEFT_OPEN, text, end))?.[0] ?? "";
  const said =
    joined === "/" ? fraction(parts[0]!, parts[1]!) : parts.map((part, i) => part + (joined[i] ?? "")).join("");
  const open = after.trim().replace(/^x$/i, "×").replace(/^\^.*/, "^");
  return { token: comparisonOf(comparison) + said + open, end: end + after.length };
}

/** Whether a token is a plain number, with nothing but its sign. */
export function isPlainNumber(token: string): boolean {
  return /^-?\d+(?:\.\d+)?$/.test(token);
}

export function negative(value: string): string {
  return value === "0" || value.startsWith("-") ? value : `-${value}`;
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function comparisonOf(sign: string): string {
  return sign === "<=" ? "≤" : sign === ">=" ? "≥" : sign;
}

/** The groups of VALUE: digits, then one of a power of ten, an exponent, a power of these digits, a fraction besides. */
function valueFrom([digits = "", tens, exponent, power, upper, lower]: readonly (string | undefined)[]): string {
  const value = plainNumber(digits);
  if (tens !== undefined || exponent !== undefined) return shifted(value, Number(tens ?? exponent));
  if (power !== undefined) return value === "10" ? shifted("1", Number(power)) : `${value}^${Number(power)}`;
  if (upper === undefined || lower === undefined) return value;
  const part = fraction(upper, lower);
  return part.startsWith("0.") && /^\d+$/.test(value) ? `${value}${part.slice(1)}` : `${value} ${part}`;
}

/** "02", "2.0", "2,0" and "2" are one number; digits beyond what a double holds are kept. */
function plainNumber(digits: string): string {
  const isDecimalComma = /^(?:0|\d+),\d+$/.test(digits) && !/^[1-9]\d{0,2},\d{3}$/.test(digits);
  const isEuropean = /\.\d{3},\d/.test(digits);
  if (isDecimalComma || isEuropean) return trimmed(digits.replaceAll(".", "").replace(",", "."));
  return trimmed((/\..*\./.test(digits) ? digits.replaceAll(".", "") : digits).replaceAll(",", ""));
}

function trimmed(digits: string): string {
  const [whole = "", fractional = ""] = digits.split(".");
  let end = fractional.length;
  while (end > 0 && fractional[end - 1] === "0") end--;
  return (whole.replace(/^0+(?=\d)/, "") || "0") + (end > 0 ? `.${fractional.slice(0, end)}` : "");
}

/** The number times a power of ten; beyond what can be written out, the power stays. */
export function shifted(value: string, by: number): string {
  if (Math.abs(by) > 30) return `${value}e${by}`;
  const [whole = "0", part = ""] = value.split(".");
  const digits = `${"0".repeat(Math.max(0, -by))}${whole}${part}${"0".repeat(Math.max(0, by - part.length))}`;
  const point = Math.max(0, -by) + whole.length + by;
  return trimmed(`${digits.slice(0, point)}.${digits.slice(point)}`);
}

/** A proper fraction in lowest terms that ends as a decimal is that decimal; "2/4" and "20/40" are grades and stay. */
function fraction(upper: string, lower: string): string {
  const [a, b] = [Number(upper), Number(lower)];
  const isProper = /^\d+$/.test(upper) && /^\d+$/.test(lower) && a > 0 && a < b && commonFactor(a, b) === 1;
  if (!isProper || !/^(?:[248]|5|10|16|20|25|100)$/.test(lower)) return `${upper}/${lower}`;
  return trimmed((a / b).toFixed(4));
}

function commonFactor(a: number, b: number): number {
  return b === 0 ? a : commonFactor(b, a % b);
}
