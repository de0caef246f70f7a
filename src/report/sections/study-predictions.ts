/** What a study predicted and whether it held; how its arms reason: lengths, costs, false statements, by chain length. */
import { percent } from "../../core/percent.ts";
import type { StudyPrediction, StudyResults } from "../../runs/study-results.ts";
import { differenceText, pValue, short } from "../format.ts";
import { type Content, type Html, html } from "../html.ts";
import { scroll } from "./study-tables.ts";

/** Null for a study without predictions. */
export function predictionSection({ predictions }: StudyResults): Content {
  if (predictions.length === 0) return null;
  const held = predictions.filter(({ verdict }) => verdict === "held").length;
  const rows = predictions.map((prediction) => {
    const { arm, against, measure, direction, margin, because, difference, power, verdict } = prediction;
    const kind = verdict === "held" ? "better" : verdict === "failed" ? "worse" : "";
    const within = margin === null ? "" : ` within ${figure(prediction, margin)}`;
    const seen = power === null ? "–" : figure(prediction, power.detectable_difference);
    return html`<tr><th scope="row">${arm} against ${against}<br><small>${because}</small></th><td>${measure.replaceAll("_", " ")} ${direction}${within}</td><td class="num">${values(prediction)}</td><td class="num">${difference === null ? "–" : change(prediction)}</td><td class="num">${difference === null ? "–" : pValue(difference.p_holm)}</td><td class="num">${seen}</td><td class="${kind}">${verdict}</td></tr>`;
  });
  const head = [
    ...["prediction", "measure", { num: "arm, other" }, { num: "difference [95 %]" }, { num: "p, Holm" }],
    ...[{ num: "detectable" }, "verdict"],
  ];
  return html`<section id="predictions"><h2>Predictions</h2><p>${held} of ${predictions.length} held. They were written into the study file before it ran.</p>${scroll("Predictions", head, rows)}<p class="note">Higher and lower hold, or fail, where the corrected p value is below 0.05; "same" holds where the whole interval is within its margin. Else undecided: the study could not tell. Holm over all predictions. Detectable: from the pilot, the true difference that this study sees with 80 % power.</p></section>`;
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

function values({ values: found, unit }: StudyPrediction): string {
  if (found === null) return "–";
  const show = (value: number) => (unit === "share" ? percent(value) : short(value));
  return `${show(found.arm)}, ${show(found.against)}`;
}

function change({ difference, unit }: StudyPrediction): string {
  const { estimate, low, high } = difference!;
  return unit === "share" ? differenceText(difference!) : `${short(estimate)} [${short(low)}, ${short(high)}]`;
}

function figure({ unit }: StudyPrediction, value: number): Html {
  return unit === "share" ? html`${percent(value)} points` : html`${short(value)} tokens`;
}
