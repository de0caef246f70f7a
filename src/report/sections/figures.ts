/** Numbers by distance and other figures that only some questions have, at the first and at the last evaluation. */
import type { Interval } from "../../runs/statistics-records.ts";
import { intervalText, short } from "../format.ts";
import { type Content, type Html, html } from "../html.ts";
import type { LabelledRun } from "../labelled-run.ts";
import type { EvaluationLine } from "../read-run.ts";
import { scroll } from "./study-tables.ts";

/** Null where no evaluation has any. */
export function figuresSection(runs: readonly LabelledRun[]): Content {
  const rows = runs.flatMap(({ label, record: { evaluations } }) => {
    const [first, last] = [evaluations[0], evaluations.at(-1)];
    if (first === undefined || last === undefined) return [];
    const ends = [...new Set([first, last])];
    return ends.flatMap((evaluation) => rowsOf(evaluation, runs.length > 1 ? `${label}, ` : ""));
  });
  if (rows.length === 0) return null;
  const head = ["evaluation", "figure", { num: "value [95 %]" }, { num: "questions" }];
  return html`<section id="answer-figures"><h2>Sensitivity, numbers, sets and reasoning</h2>${scroll("Sensitivity, numbers, sets and reasoning", head, rows)}<p class="note">Intervals over subjects. Errors of numbers are over questions whose target is known and whose answer can be read; concordance counts censored times too. What cannot be read counts 0 elsewhere.</p></section>`;
}

function rowsOf({ step, numbers, figures }: EvaluationLine, label: string): readonly Html[] {
  const own = (numbers?.["model"] ?? []).flatMap(({ unit, n, unreadable, mae, rmse, r2, mape, concordance }) => {
    const what = unit === "" ? "numbers" : unit;
    const shown = { "mean absolute error": mae, RMSE: rmse, "R²": r2, concordance } as const;
    return [
      ...Object.entries(shown).map(([name, found]) => [`${what}: ${name}`, plain(found), `${n}`] as const),
      [`${what}: relative error`, mape === null ? "–" : intervalText(mape), `${n}`] as const,
      [`${what}: unreadable`, String(unreadable), `${n + unreadable}`] as const,
    ];
  });
  const further = Object.entries(figures ?? {}).flatMap(([kind, found]) =>
    Object.entries(found).map(
      ([name, one]) => [`${kind}: ${name.replaceAll("_", " ")}`, intervalText(one), `${one.n}`] as const,
    ),
  );
  return [...own, ...further].map(
    ([name, value, n]) =>
      html`<tr><th scope="row">${label}step ${step}</th><td>${name}</td><td class="num">${value}</td><td class="num">${n}</td></tr>`,
  );
}

function plain(found: Interval | null): string {
  return found === null ? "–" : `${short(found.estimate)} [${short(found.low)}, ${short(found.high)}]`;
}
