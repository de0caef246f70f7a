/** Whether each reward paid for length or for right answers, within the groups of the late rollouts. */
import type { Interval } from "../../runs/statistics-records.ts";
import { type Content, html } from "../html.ts";
import type { LabelledRun } from "../labelled-run.ts";
import { scroll } from "./study-tables.ts";

/** Null for runs whose rewards do not vary within groups. */
export function rewardSection(runs: readonly LabelledRun[]): Content {
  const rows = runs.flatMap(({ label, rewards }) =>
    rewards.map(({ reward, with_length: length, with_accuracy: accuracy }) => {
      const goesByLength = length !== null && Math.abs(length.estimate) > Math.max(0, accuracy?.estimate ?? 0);
      const run = runs.length > 1 ? html`<td>${label}</td>` : null;
      return html`<tr><th scope="row">${reward ?? "the weighted sum"}</th>${run}<td class="num ${goesByLength ? "bad" : ""}">${intervalCell(length)}</td><td class="num">${intervalCell(accuracy)}</td></tr>`;
    }),
  );
  if (rows.length === 0) return null;
  const head = ["reward", ...(runs.length > 1 ? ["run"] : []), { num: "with length" }, { num: "with right answers" }];
  return html`<section id="rewards"><h2>Rewards and length</h2>${scroll("Rewards and length", head, rows)}<p class="note">Pearson's correlations within groups over the last fifth of the rollouts, with 95 % intervals over subjects; completions that were cut are left out. A reward that goes with length more than with right answers teaches length.</p></section>`;
}

/** "0.31 [0.20, 0.42]". */
export function intervalCell(interval: Interval | null): string {
  if (interval === null) return "–";
  const { estimate, low, high } = interval;
  return `${estimate.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`;
}
