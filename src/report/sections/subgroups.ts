/** Gaps between groups of subjects in the last evaluation's yes/no questions. */
import type { Interval } from "../../runs/statistics-records.ts";
import { type Content, html } from "../html.ts";
import type { LabelledRun } from "../labelled-run.ts";
import { intervalCell } from "./rewards.ts";
import { scroll } from "./study-tables.ts";

/** Null where no groups were compared. */
export function subgroupSection(runs: readonly LabelledRun[]): Content {
  const rows = runs.flatMap(({ label, record }) =>
    (record.evaluations.at(-1)?.subgroups ?? []).map(({ stratum, value, n, rest, ...gaps }) => {
      const equal = [1, 0, 0, 0];
      const found = [gaps.disparate_impact, gaps.parity_difference, gaps.opportunity_difference, gaps.odds_difference];
      const run = runs.length > 1 ? html`<td>${label}</td>` : null;
      return html`<tr><th scope="row">${stratum} ${value}</th>${run}<td class="num">${n} of ${n + rest}</td>${found.map((gap, i) => html`<td class="num ${excludes(gap, equal[i]!) ? "bad" : ""}">${intervalCell(gap)}</td>`)}</tr>`;
    }),
  );
  if (rows.length === 0) return null;
  const gaps = ["disparate impact", "parity", "opportunity", "odds"].map((num) => ({ num }));
  const head = ["group", ...(runs.length > 1 ? ["run"] : []), { num: "questions" }, ...gaps];
  return html`<section id="subgroups"><h2>Groups</h2>${scroll("Gaps between groups", head, rows)}<p class="note">Yes/no questions of the group against all others, with 95 % intervals over subjects. Disparate impact: ratio of the shares answered yes, 1 is equal. Parity, opportunity, odds: differences of the shares answered yes, of recalls, and the mean of the differences of recalls and of false-alarm rates; 0 is equal.</p></section>`;
}

function excludes(interval: Interval | null, value: number): boolean {
  return interval !== null && (interval.low > value || interval.high < value);
}
