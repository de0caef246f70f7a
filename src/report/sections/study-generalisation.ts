/** What arms were trained on against what they were tested on, in a table for each number of solved examples. */
import { percent, points } from "../../core/percent.ts";
import type { StudyGeneralisation, StudyResults } from "../../runs/study-results.ts";
import { type Content, type Html, html } from "../html.ts";
import { scroll } from "./study-tables.ts";

export function generalisationSection({ generalisation: found }: StudyResults): Content {
  if (found === null || found.tables.every(({ rows }) => rows.length === 0)) return null;
  return html`<section id="generalisation"><h2>Generalisation</h2>${found.tables.map((table) => tableOf(found, table))}<p class="note">Accuracy by ${found.stratum}, mean over seeds, and its change relative to the model before training. Retention: the mean of accuracy over the untrained model's, the arm's own ${found.stratum} left out; below 100 % training on one kind cost the others.</p></section>`;
}

function tableOf(
  { stratum, columns }: StudyGeneralisation,
  { shots, base, rows }: StudyGeneralisation["tables"][number],
): Html {
  const title = shots === 0 ? "Without solved examples in the prompt" : `With ${shots} solved examples in the prompt`;
  const head = [
    "arm",
    `trained on (${stratum})`,
    ...columns.map((name) => ({ num: `${name}, %` })),
    { num: "retention, %" },
  ];
  const before = html`<tr><th scope="row">before training</th><td></td>${base.map((value) => html`<td class="num">${share(value)}</td>`)}<td class="num">–</td></tr>`;
  const body = rows.map(({ arm, trained_on, scores, relative, retention }) => {
    const cells = scores.map((value, j) => {
      const change = relative[j]!;
      const kind = change === null ? "" : change > 0 ? "better" : change < 0 ? "worse" : "";
      const own = columns[j] === trained_on ? html`<b>${share(value)}</b>` : share(value);
      return html`<td class="num ${kind}">${own}${change !== null && html`<br><small>${points(change)} %</small>`}</td>`;
    });
    return html`<tr><th scope="row">${arm}</th><td>${trained_on}</td>${cells}<td class="num">${share(retention)}</td></tr>`;
  });
  return html`<h3>${title}</h3>${scroll(title, head, [before, ...body])}`;
}

function share(value: number | null): string {
  return value === null ? "–" : percent(value);
}
