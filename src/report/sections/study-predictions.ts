/** What a study predicted and whether it held; how its arms reason: lengths, costs, false statements, by chain length. */
import { percent } from "../../core/percent.ts";
import type { StudyResults } from "../../runs/study-results.ts";
import { short } from "../format.ts";
import { type Content, html } from "../html.ts";
import { predictionRows } from "../study-rows.ts";
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
export function reasoningSection({ arms }: StudyResults): Content {
  const rows = arms.flatMap(({ name, reasoning }) => {
    if (reasoning === null) return [];
    const { right_lengths, wrong_lengths, tokens_per_right, false_statements, invented_findings } = reasoning;
    const cells = [
      ...[spread(right_lengths), spread(wrong_lengths), tokens_per_right === null ? "–" : short(tokens_per_right)],
      ...[false_statements, invented_findings].map((share) => (share === null ? "–" : percent(share))),
    ];
    return [html`<tr><th scope="row">${name}</th>${cells.map((cell) => html`<td class="num">${cell}</td>`)}</tr>`];
  });
  if (rows.length === 0) return null;
  const head = ["right answers, tokens", "wrong answers, tokens", "tokens for each right answer"];
  const shares = ["false statements, %", "invented findings, %"];
  return html`<section id="reasoning"><h2>Reasoning</h2>${scroll("Reasoning", ["arm", ...[...head, ...shares].map((num) => ({ num }))], rows)}<p class="note">Last evaluations of all seeds. Lengths: median (10th to 90th percentile). Statements are checked against the facts of their images.</p>${chainTable(arms)}</section>`;
}

function chainTable(arms: StudyResults["arms"]): Content {
  const lengths = [
    ...new Set(arms.flatMap((arm) => (arm.reasoning?.by_chain_length ?? []).map(({ statements }) => statements))),
  ].sort((a, b) => a - b);
  if (lengths.length === 0) return null;
  const rows = arms.flatMap(({ name, reasoning }) => {
    if (reasoning === null) return [];
    const cells = lengths.map((length) => {
      const found = reasoning.by_chain_length.find(({ statements }) => statements === length);
      return html`<td class="num">${found === undefined ? "–" : percent(found.accuracy)}</td>`;
    });
    return [html`<tr><th scope="row">${name}</th>${cells}</tr>`];
  });
  const head = ["arm", ...lengths.map((length) => ({ num: String(length) }))];
  return html`<h3>Accuracy, %, by statements in the reference chain</h3>${scroll("Accuracy by chain length", head, rows)}`;
}

/** "84 (60–131)". */
function spread(quantiles: readonly number[] | null): string {
  return quantiles === null ? "–" : `${quantiles[2]} (${quantiles[0]}–${quantiles[4]})`;
}
