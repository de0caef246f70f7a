/** HTML that cannot be broken by what it shows: only what `html` made is markup, every other value is escaped text. */

/** Finished markup; made by `html` and `raw` alone. */
export interface Html {
  readonly markup: string;
}

/** What may stand in a template: `null`, `undefined` and `false` show nothing, lists are joined. */
export type Content = Html | string | number | null | undefined | false | readonly Content[];

/** Template tag: html`<p>${text}</p>` escapes `text`, in attributes too where they are quoted. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Html {
  return { markup: parts.reduce((before, part, i) => before + markupOf(values[i - 1]) + part) };
}

/** Text that is markup already: style sheet and script of the report itself, never anything from a file. */
export function raw(markup: string): Html {
  return { markup };
}

/** Text for HTML and for quoted attributes; control characters that HTML forbids become U+FFFD. */
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
/** Control characters other than tab and line ends. */
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
