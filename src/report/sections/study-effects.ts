/** What acting on each dimension of a study does in the mean. */
import type { StudyResults } from "../../runs/study-results.ts";
import { forestPlot } from "../charts/forest-plot.ts";
import { pValue } from "../format.ts";
import { type Content, html } from "../html.ts";

/** Null where no arm of a dimension can be compared. */
export function effectSection({ dimensions, reference }: StudyResults): Content {
  const found = (dimensions ?? []).flatMap(({ effect, ...about }) => (effect === null ? [] : [{ ...about, effect }]));
  const rows = found.map(({ name, effect }) => ({ label: name, interval: effect, main: true }));
  const forest = forestPlot({ title: `main effects against ${reference}`, rows });
  if (forest === null) return null;
  const said = found.map(({ name, arms, effect }) => `${name}: ${arms.join(", ")} (Holm ${pValue(effect.p_holm)})`);
  return html`<section id="effects"><h2>Main effects</h2><div class="charts wide"><figure><h3>Difference in accuracy, percentage points</h3>${forest}<figcaption>The mean over a dimension's arms of their differences from ${reference}, on the same questions of the same seeds; 95 % intervals over subjects and seeds, p corrected for all dimensions. ${said.join("; ")}.</figcaption></figure></div></section>`;
}
