/** What arms keep of old questions beside what they gain on new ones, and how both compare with the control. */
import type { StudyResults } from "../../runs/study-results.ts";
import { type Content, html } from "../html.ts";
import { retentionRows } from "../study-rows.ts";
import { scroll } from "./study-tables.ts";

/** Null for a study that does not ask for it. */
export function retentionSection(results: StudyResults): Content {
  const found = retentionRows(results);
  if (found === null) return null;
  const rows = found.rows.map(({ name, figures }) => {
    return html`<tr><th scope="row">${name}</th>${figures.map((figure) => html`<td class="num">${figure}</td>`)}</tr>`;
  });
  const head = ["arm", ...found.head.map((num) => ({ num }))];
  return html`<section id="retention"><h2>Retention</h2>${scroll("Retention", head, rows)}<p class="note">${found.note}</p></section>`;
}
