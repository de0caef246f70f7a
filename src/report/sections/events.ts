/** Alarms with their advice, and the log of all other events. */
import { short } from "../format.ts";
import { type Content, type Html, html } from "../html.ts";
import type { LabelledRun } from "../labelled-run.ts";
import type { RecordLine } from "../read-run.ts";

/** Maximum rows of a log; the first and the last are kept. */
const mostShown = 200;
const quiet: readonly unknown[] = ["preflight"];

export function eventSection(runs: readonly LabelledRun[]): Html {
  return html`<section id="events"><h2>Alarms and events</h2>${runs.map(({ label, record }) => {
    const loud = record.events.filter(({ event }) => event === "alarm" || event === "error");
    return html`${runs.length > 1 && html`<h3>${label}</h3>`}${loud.length === 0 ? html`<p class="calm">No alarm and no error.</p>` : loud.slice(0, mostShown).map(alarm)}${log(record.events)}`;
  })}</section>`;
}

function alarm({ event, step, stage, rule, subject, value, threshold, message, advice, evidence }: RecordLine): Html {
  const title = event === "error" ? "Error" : `${String(rule)}${subject === undefined ? "" : ` (${String(subject)})`}`;
  const numbers =
    typeof value === "number" && typeof threshold === "number"
      ? `value ${short(value)}, threshold ${short(threshold)}`
      : "";
  const ids = Array.isArray(evidence) ? evidence.slice(0, 8).join(", ") : "";
  return html`<article class="alarm ${event === "error" ? "bad" : "warn"}"><h3>${title} <small>step ${text(step)}, ${text(stage)}${numbers && `, ${numbers}`}</small></h3><p>${text(message)}</p>${advice !== undefined && html`<p><b>What to do:</b> ${text(advice)}</p>`}${ids !== "" && html`<p class="ids">groups ${ids}</p>`}</article>`;
}

function log(events: readonly RecordLine[]): Content {
  const shown = events.filter(({ event }) => !quiet.includes(event));
  if (shown.length === 0) return null;
  const half = mostShown / 2;
  const lines = shown.length <= mostShown ? shown : [...shown.slice(0, half), ...shown.slice(-half)];
  const left = shown.length - lines.length;
  return html`<details><summary>Log of ${shown.length} events</summary><div class="scroll" tabindex="0" role="region" aria-label="Log of events"><table><thead><tr><th scope="col" class="num">step</th><th scope="col">stage</th><th scope="col">event</th><th scope="col">details</th></tr></thead><tbody>${lines.map(
    (line) => {
      const { event, step, stage, ...rest } = line;
      return html`<tr><td class="num">${text(step)}</td><td>${text(stage)}</td><td>${text(event)}</td><td>${details(rest)}</td></tr>`;
    },
  )}</tbody></table></div>${left > 0 && html`<p class="note">${left} events between are in events.jsonl.</p>`}</details>`;
}

function details(rest: RecordLine): string {
  const parts = Object.entries(rest).map(
    ([key, value]) => `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  const joined = parts.join("; ");
  return joined.length > 400 ? `${joined.slice(0, 400)}…` : joined;
}

function text(value: unknown): string {
  return value === undefined || value === null ? "" : String(value);
}
