/** How the reasoning of the first and the last evaluation goes about it. */
import type { Interval } from "../../runs/statistics-records.ts";
import { intervalText, short } from "../format.ts";
import { type Content, type Html, html } from "../html.ts";
import type { LabelledRun } from "../labelled-run.ts";
import { asRecord } from "../read-run.ts";

/** Null where no evaluation has reasoning. */
export function reasoningSection(runs: readonly LabelledRun[]): Html | null {
  const found = runs.flatMap(({ label, record: { evaluations } }) => {
    const some = evaluations.filter(({ reasoning }) => asRecord(asRecord(reasoning)?.["behaviours"]) !== null);
    const ends = some.length < 2 ? some : [some[0]!, some.at(-1)!];
    return ends.map(({ step, reasoning }) => ({ label, step, reasoning: reasoning! }));
  });
  if (found.length === 0) return null;
  const names = [...new Set(found.flatMap(({ reasoning }) => Object.keys(reasoning.behaviours)))];
  const number = (value: Interval | null | undefined) => (value == null ? "–" : short(value.estimate));
  const rows = found.map(({ label, step, reasoning }) => {
    const excluded = reasoning.excluded_options ?? null;
    const cells: Content[] = [
      String(reasoning.rationales),
      number(reasoning.restated_facts),
      excluded === null ? "–" : intervalText(excluded),
      ...names.map((name) => number(reasoning.behaviours[name])),
    ];
    const name = runs.length > 1 ? `${label}, step ${step}` : `step ${step}`;
    return html`<tr><th scope="row">${name}</th>${cells.map((cell) => html`<td class="num">${cell}</td>`)}</tr>`;
  });
  const head = ["rationales", "facts restated per 100 words", "wrong options ruled out", ...names];
  return html`<section id="reasoning"><h2>Reasoning</h2><div class="scroll" tabindex="0" role="region" aria-label="Reasoning"><table><thead><tr><th scope="col">evaluation</th>${head.map((name) => html`<th scope="col" class="num">${name.replace(/_/g, " ")}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div><p class="note">Behaviours are phrases per rationale. None of these is a measure of quality: changes say more than levels.</p></section>`;
}
