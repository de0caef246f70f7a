/** Escaping HTML templates: only the output of `html` is markup, every other value is escaped text. */

/** Finished markup; created only by `html` and `raw`. */
export interface Html {
  readonly markup: string;
}

/** Values of a template: `null`, `undefined` and `false` render nothing, lists are concatenated. */
export type Content = Html | string | number | null | undefined | false | readonly Content[];

/** Template tag: html`<p>${text}</p>` escapes `text`, also within quoted attributes. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Html {
  return { markup: parts.reduce((before, part, i) => before + markupOf(values[i - 1]) + part) };
}

/** Trusted markup: only the report's own style sheet and script, never anything from a file. */
export function raw(markup: string): Html {
  return { markup };
}

/** Escapes text for HTML and quoted attributes; control characters that HTML forbids become U+FFFD. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => entities[c]!).replace(forbidden, "\ufffd");
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
/** Control characters other than tab and line breaks. */
const forbidden = /(?![\t\n\r])\p{Cc}/gu;

function markupOf(value: Content): string {
  if (value === null || value === undefined || value === false) return "";
  if (typeof value === "string") return escapeHtml(value);
  if (typeof value === "number") return String(value);
  if (isList(value)) return value.map(markupOf).join("");
  return value.markup;
}

function isList(value: object): value is readonly Content[] {
  return Array.isArray(value);
}
