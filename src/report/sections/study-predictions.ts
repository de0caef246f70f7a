/** What a study predicted and whether it held; how its arms reason: lengths, costs, false statements, by chain length. */
import type { StudyResults } from "../../runs/study-results.ts";
import { type Content, html } from "../html.ts";
import { predictionRows, reasoningTables } from "../study-rows.ts";
import { scroll } from "./study-tables.ts";

/** Null for a study without predictions. */
export function predictionSection(results: StudyResults): Content {
  const found = predictionRows(results);
  if (found === null) return null;
  const rows = found.rows.map(({ name, because, measure, figures, verdict }) => {
    const kind = verdict === "held" ? "better" : verdict === "failed" ? "worse" : "";
    return html`<tr><th scope="row">${name}<br><small>${because}</small></th><td class="${kind}">${verdict}</td><td>${measure}</td>${figures.map((figure) => html`<td class="num">${figure}</td>`)}</tr>`;
  });
  const head = ["prediction", "verdict", "measure", ...found.head.map((num) => ({ num }))];
  return html`<section id="predictions"><h2>Predictions</h2><p>${found.said}</p>${scroll("Predictions", head, rows)}<p class="note">${found.note}</p></section>`;
}

/** Null where no completion has a length. */
export function reasoningSection(results: StudyResults): Content {
  const found = reasoningTables(results);
  if (found === null) return null;
  const [main, ...others] = found.tables.map(({ title, head, rows }) => {
    const shown = rows.map(({ name, figures }) => {
      return html`<tr><th scope="row">${name}</th>${figures.map((figure) => html`<td class="num">${figure}</td>`)}</tr>`;
    });
    return { title, table: scroll(title, ["arm", ...head.map((num) => ({ num }))], shown) };
  });
  return html`<section id="reasoning"><h2>${main!.title}</h2>${main!.table}<p class="note">${found.note}</p>${others.map(({ title, table }) => html`<h3>${title}</h3>${table}`)}</section>`;
}
