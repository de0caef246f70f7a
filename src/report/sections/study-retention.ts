/** What arms keep of old questions beside what they gain on new ones, and how both compare with the control. */
import { percent } from "../../core/percent.ts";
import type { StudyResults, StudyRetention } from "../../runs/study-results.ts";
import { differenceText } from "../format.ts";
import { type Content, html } from "../html.ts";
import { scroll } from "./study-tables.ts";

/** Null for a study that does not ask for it. */
export function retentionSection({ retention }: StudyResults): Content {
  if (retention == null) return null;
  const { stratum, control, arms } = retention;
  const rows = arms.map((arm) => {
    const cells = [arm.old, arm.new].flatMap(cellsOf);
    return html`<tr><th scope="row">${arm.name}</th>${cells.map((cell) => html`<td class="num">${cell}</td>`)}</tr>`;
  });
  const columns = ["before, after", "change [95 %]", `less ${control} [95 %]`];
  const head = ["old", "new"].flatMap((task) => columns.map((column) => ({ num: `${task}: ${column}` })));
  const said = `Old: ${stratum} ${retention.old.join(", ")}. New: ${stratum} ${retention.new.join(", ")}.`;
  return html`<section id="retention"><h2>Retention</h2>${scroll("Retention", ["arm", ...head], rows)}<p class="note">${said} Accuracy in percent at the first and at the last evaluation; changes in points, paired by question within a seed, pooled over seeds. A way to forget less is worth having where it keeps more of the old than ${control} at no less of the new.</p></section>`;
}

function cellsOf(task: StudyRetention["arms"][number]["old"]): readonly string[] {
  if (task === null) return ["–", "–", "–"];
  const { before, after, change, over_control } = task;
  return [
    `${percent(before)}, ${percent(after)}`,
    differenceText(change),
    over_control === null ? "–" : differenceText(over_control),
  ];
}
