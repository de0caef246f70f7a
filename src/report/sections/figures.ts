/** Figures that only some questions have, at the first and at the last evaluation. */
import { FIGURES_NOTE, FIGURES_TITLE, figureRows } from "../figure-rows.ts";
import { type Content, html } from "../html.ts";
import type { LabelledRun } from "../labelled-run.ts";
import { scroll } from "./study-tables.ts";

/** Null where no evaluation has any. */
export function figuresSection(runs: readonly LabelledRun[]): Content {
  const rows = runs.flatMap(({ label, record: { evaluations } }) => {
    const ends = [...new Set([...evaluations.slice(0, 1), ...evaluations.slice(-1)])];
    const of = runs.length > 1 ? `${label}, ` : "";
    return ends.flatMap((evaluation) =>
      figureRows(evaluation).map(
        ({ name, value, n }) =>
          html`<tr><th scope="row">${of}step ${evaluation.step}</th><td>${name}</td><td class="num">${value}</td><td class="num">${n}</td></tr>`,
      ),
    );
  });
  if (rows.length === 0) return null;
  const head = ["evaluation", "figure", { num: "value [95 %]" }, { num: "questions" }];
  return html`<section id="answer-figures"><h2>${FIGURES_TITLE}</h2>${scroll(FIGURES_TITLE, head, rows)}<p class="note">${FIGURES_NOTE}</p></section>`;
}
