/** Answers as JSON, {"think": …, "answer": …}, as ClinicRealm asks for them of tables (arXiv 2407.18525). */

export interface JsonPart {
  /** A thought's escapes are padded with blanks to their length, so that it is as long as its span. */
  readonly text: string;
  /** UTF-16 offsets in the completion, without quotes. */
  readonly start: number;
  readonly end: number;
}

/** A string without what JSON forbids in one, a number, or a truth value, behind the name of its field. */
const literalOf = (field: string) =>
  new RegExp(`"${field}"\\s{0,8}:\\s{0,8}("(?:[^"\\\\]|\\\\.)*"|-?\\d[\\d.eE+-]*|true|false)`, "gs");

/** The answer of a text that is one JSON object and nothing else; null where it is not, or where the answer is blank. */
export function jsonAnswer(text: string): JsonPart | null {
  const object = objectOf(text);
  if (object === null) return null;
  const found = lastJsonAnswer(text);
  return found !== null && String(object["answer"]) === found.text ? found : null;
}

/** The last field `answer` anywhere in a text, whatever stands around it. */
export function lastJsonAnswer(text: string): JsonPart | null {
  const found = lastLiteral(text, "answer");
  if (found === null) return null;
  const value = parsed(text.slice(found.start, found.end));
  if (!["string", "number", "boolean"].includes(typeof value)) return null;
  const quoted = typeof value === "string" ? 1 : 0;
  const part = { text: String(value), start: found.start + quoted, end: found.end - quoted };
  return part.text.trim() === "" ? null : part;
}

/** The thought of a text, closed or cut off. */
export function jsonThought(text: string): JsonPart | null {
  const open = /"think"\s{0,8}:\s{0,8}"/.exec(text);
  if (open === null) return null;
  const start = open.index + open[0].length;
  const end = start + /^(?:[^"\\]|\\.)*/s.exec(text.slice(start))![0].length;
  return { text: unescaped(text.slice(start, end)), start, end };
}

/** Whether a text is one JSON object of a thought and an answer that is not blank, and nothing else. */
export function isJsonForm(text: string): boolean {
  const object = objectOf(text);
  const isForm = object !== null && typeof object["think"] === "string" && Object.keys(object).length === 2;
  return isForm && jsonAnswer(text) !== null;
}

function lastLiteral(text: string, field: string): { readonly start: number; readonly end: number } | null {
  const last = [...text.matchAll(literalOf(field))].at(-1);
  if (last === undefined) return null;
  const end = last.index + last[0].length;
  return { start: end - last[1]!.length, end };
}

function objectOf(text: string): Readonly<Record<string, unknown>> | null {
  const value = parsed(text);
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: " ", f: " " };

function unescaped(text: string): string {
  return text.replace(/\\(?:u([\da-f]{4})|(.))/gis, (all, code: string | undefined, sign: string) => {
    const value = code === undefined ? (ESCAPES[sign] ?? sign) : String.fromCharCode(Number.parseInt(code, 16));
    return value.padStart(all.length);
  });
}
