/** The tables of a whole study: the ranking, the arms' costs, all further figures, and the status of each run. */
import { duration } from "../../core/duration.ts";
import { percent } from "../../core/percent.ts";
import type { StudyArm, StudyResults } from "../../runs/study-results.ts";
import { verdictSentence } from "../../runs/verdict.ts";
import { shareBar } from "../charts/bars.ts";
import { forestPlot } from "../charts/forest-plot.ts";
import { differenceText, intervalText, short } from "../format.ts";
import { type Content, type Html, html } from "../html.ts";

/** All arms, the best first. */
export function overviewSection(results: StudyResults): Html {
  const arms = results.ranking.map((name) => results.arms.find((arm) => arm.name === name)!);
  const rows = arms.flatMap(({ name, difference }) =>
    difference === null
      ? []
      : [{ label: name, interval: difference, main: true, dots: difference.by_seed.map((one) => one.difference) }],
  );
  const forest = forestPlot({ title: `difference from ${results.reference}`, rows });
  const table = scroll(
    "Ranking",
    [
      "",
      "arm",
      "dimensions",
      "accuracy, % [95 % interval]",
      { num: "seed sd" },
      { num: `against ${results.reference}, points` },
      "verdict",
    ],
    arms.map(({ name, dimensions, accuracy, difference, verdict: judged }, i) => {
      const verdict = difference === null ? "" : difference.low > 0 ? "better" : difference.high < 0 ? "worse" : "";
      return html`<tr><td class="num">${i + 1}</td><th scope="row">${name}</th><td>${dimensions.join(", ")}</td><td>${shareBar(accuracy!, 0)}<span class="figure">${intervalText(accuracy!).replace(" %", "")}</span></td><td class="num">${accuracy!.seed_sd === null ? "–" : percent(accuracy!.seed_sd)}</td><td class="num ${verdict}">${name === results.reference ? "reference" : difference === null ? "–" : differenceText(difference)}</td><td>${verdictCell(name, judged, results.baselines)}</td></tr>`;
    }),
  );
  return html`<section id="overview"><h2>Ranking</h2>${arms.length === 0 ? html`<p>No arm has an accuracy yet.</p>` : table}${forest && html`<div class="charts wide"><figure><h3>Difference in accuracy, percentage points</h3>${forest}</figure></div>`}<p class="note">${results.method}</p></section>`;
}

/** The word of the verdict, and the best baseline where there are several; the whole sentence on pointing at it. */
function verdictCell(name: string, verdict: StudyArm["verdict"], baselines: readonly string[]): Content {
  if (baselines.includes(name)) return "baseline";
  if (verdict === null) return "–";
  const word = verdict.verdict.replace("_", " ");
  return html`<span title="${verdictSentence(verdict)}">${word}${baselines.length > 1 && html`<br><small>${verdict.against}</small>`}</span>`;
}

/** The cost of each arm relative to the reference. */
export function costSection({ arms, reference, shared }: StudyResults): Content {
  const rows = arms.flatMap(({ name, cost }) =>
    cost === null
      ? []
      : [
          html`<tr><th scope="row">${name}</th><td class="num">${duration(cost.seconds)}</td><td class="num">${cost.ratio === null ? "–" : `× ${cost.ratio.toFixed(2)}`}</td></tr>`,
        ],
  );
  if (rows.length === 0) return null;
  return html`<section id="costs"><h2>Costs</h2>${scroll("Costs", ["arm", { num: "time of its steps" }, { num: `relative to ${reference}` }], rows)}<p class="note">Mean over seeds of the time of all steps, including those of a shared start, excluding evaluations.${shared.length > 0 && html` Trained once: ${shared.map(({ folder, stages, used_by }) => `${folder} (${stages.join(", ")}; ${used_by.length} runs)`).join("; ")}.`}</p></section>`;
}

/** Late training metrics, and all further figures of the evaluations' summaries. */
export function figureSection({ arms }: StudyResults): Content {
  const training = matrix("Training, last fifth of the sampling steps", arms, ({ training }) => training);
  const figures = matrix("Last evaluation", arms, ({ figures }) => figures);
  if (training === null && figures === null) return null;
  return html`<section id="figures"><h2>Further figures</h2>${training}${figures}<p class="note">Means over seeds. Rates and accuracies are fractions.</p></section>`;
}

function matrix(
  title: string,
  arms: readonly StudyArm[],
  of: (arm: StudyArm) => Readonly<Record<string, number>>,
): Content {
  const keys = [...new Set(arms.flatMap((arm) => Object.keys(of(arm))))];
  if (keys.length === 0) return null;
  const rows = arms.map((arm) => {
    const values = of(arm);
    const cells = keys.map((key) => html`<td class="num">${values[key] === undefined ? "–" : short(values[key])}</td>`);
    return html`<tr><th scope="row">${arm.name}</th>${cells}</tr>`;
  });
  return html`<h3>${title}</h3>${scroll(title, ["arm", ...keys.map((key) => ({ num: key }))], rows)}`;
}

/** Every run with its status; failures with their reason. */
export function runSection({ arms }: StudyResults): Html {
  const rows = arms.flatMap(({ name, runs }) =>
    runs.map(({ seed, folder, status, message, accuracy, seconds }) => {
      const kind = status === "finished" ? "good" : status === "failed" ? "bad" : "";
      return html`<tr><th scope="row">${name}</th><td class="num">${seed}</td><td class="${kind}">${status}${message && html`: ${message}`}</td><td class="num">${accuracy === null ? "–" : percent(accuracy)}</td><td class="num">${seconds === null ? "–" : duration(seconds)}</td><td class="figure"><code>${folder}</code></td></tr>`;
    }),
  );
  return html`<section id="runs"><h2>Runs</h2>${scroll("Runs", ["arm", { num: "seed" }, "state", { num: "accuracy, %" }, { num: "time" }, "folder"], rows)}</section>`;
}

/** A column's title; { num } for a column of figures. */
export type Column = string | { readonly num: string };

/** A table that scrolls sideways where it is wider than the page. */
export function scroll(label: string, head: readonly Column[], rows: readonly Html[]): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table><thead><tr>${head.map((title) => (typeof title === "string" ? html`<th scope="col">${title}</th>` : html`<th scope="col" class="num">${title.num}</th>`))}</tr></thead><tbody>${rows}</tbody></table></div>`;
}
