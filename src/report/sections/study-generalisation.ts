/** What arms were trained on against what they were tested on, in a table for each number of solved examples. */
import type { StudyResults } from "../../runs/study-results.ts";
import { type Content, html } from "../html.ts";
import { type GeneralisationRow, generalisationTables } from "../study-rows.ts";
import { scroll } from "./study-tables.ts";

export function generalisationSection(results: StudyResults): Content {
  const found = generalisationTables(results);
  if (found === null) return null;
  const tables = found.tables.map(({ title, head: [trained, ...figures], rows }) => {
    const head = ["arm", trained!, ...figures.map((num) => ({ num }))];
    return html`<h3>${title}</h3>${scroll(title, head, rows.map(rowOf))}`;
  });
  return html`<section id="generalisation"><h2>Generalisation</h2>${tables}<p class="note">${found.note}</p></section>`;
}

function rowOf({ name, trainedOn, cells, retention }: GeneralisationRow) {
  const shown = cells.map(({ score, change, verdict, own }) => {
    return html`<td class="num ${verdict}">${own ? html`<b>${score}</b>` : score}${change !== null && html`<br><small>${change}</small>`}</td>`;
  });
  return html`<tr><th scope="row">${name}</th><td>${trainedOn}</td>${shown}<td class="num">${retention}</td></tr>`;
}
