/** HTML that cannot be broken by what it shows: only what `html` made is markup, every other value is escaped text. */
import { raw as markup, html as template } from "hono/html";

/** Finished markup; created only by `html` and `raw`. */
export interface Html {
  readonly isEscaped: true;
}

/** Values of a template: `null`, `undefined` and `false` render nothing, lists are concatenated. */
export type Content = Html | string | number | null | undefined | false | readonly Content[];

/** Hono's template tag: html`<p>${text}</p>` escapes `text`, in attributes too where they are quoted. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Html {
  return template(parts, ...values) as Html; // a promise only of contents that are promises
}

/** Text that is markup already: style sheet and script of the report itself, never anything from a file. */
export function raw(text: string): Html {
  return markup(text);
}

/** Control characters other than tab and line ends. */
const forbidden = /(?![\t\n\r])\p{Cc}/gu;

/** Markup as text; control characters that HTML forbids, which only shown values can hold, become U+FFFD. */
export function printHtml(page: Html): string {
  return String(page).replace(forbidden, "\ufffd");
}
