/**
 * The page around the sections. It makes no network requests, and its content security policy allows only its own
 * script.
 */
import { createHash } from "node:crypto";
import { type Content, html, printHtml, raw } from "./html.ts";
import { script } from "./script.ts";
import { style } from "./style.ts";

export interface Page {
  readonly title: string;
  /** Below the title: what was run, and its status. */
  readonly heading: Content;
  readonly sections: readonly Content[];
  /** Names of sections by id, for the navigation; default those of a run's report. */
  readonly names?: Readonly<Record<string, string>>;
  readonly footer: string;
}

const runSections: Readonly<Record<string, string>> = {
  summary: "Summary",
  accuracy: "Accuracy",
  training: "Training",
  rewards: "Rewards and length",
  types: "Question types",
  "answer-figures": "Figures",
  subgroups: "Groups",
  rollouts: "Rollouts",
  events: "Alarms and events",
  configuration: "Configuration",
};

/** The whole HTML file. */
export function renderPage({ title, heading, sections, footer, names = runSections }: Page): string {
  const body = html`${sections}`;
  const text = String(body);
  const present = Object.entries(names).filter(([id]) => text.includes(`<section id="${id}">`));
  const hash = createHash("sha256").update(script).digest("base64");
  const policy = `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>${title}</title><link rel="icon" href="data:,"><style>${raw(style)}</style></head><body>
<a class="skip" href="#main">Skip to the report</a>
<header class="top"><h1>${title}</h1>${heading}</header>
<nav aria-label="Sections"><ul>${present.map(([id, name]) => html`<li><a href="#${id}">${name}</a></li>`)}</ul></nav>
<main id="main">${body}</main><footer>${footer}</footer><div id="tip" role="status" hidden></div>
<script>${raw(script)}</script></body></html>
`;
  return printHtml(page);
}
