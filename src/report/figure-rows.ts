/** Figures of an evaluation that only some questions have, in words: the report and the page of evaluations show the same. */
import type { Interval } from "../runs/statistics-records.ts";
import { intervalText, short } from "./format.ts";
import type { EvaluationLine, NumberLine } from "./read-run.ts";

export interface FigureRow {
  readonly name: string;
  /** With its 95 % interval. */
  readonly value: string;
  /** Questions, or completions for statements. */
  readonly n: number;
}

export const FIGURES_TITLE = "Sensitivity, statements, numbers, sets and reasoning";
export const FIGURES_NOTE =
  "Intervals over subjects. Statements are checked against the known facts of their images. Errors of numbers are over questions whose target is known and whose answer can be read; concordance counts censored times too. What cannot be read counts 0 elsewhere.";

export function figureRows({
  numbers,
  figures,
  facts,
}: Pick<EvaluationLine, "numbers" | "figures" | "facts">): readonly FigureRow[] {
  const own = numbers?.["model"];
  const measured = (Array.isArray(own) ? (own as readonly NumberLine[]) : []).flatMap(
    ({ unit, n, unreadable, mae, rmse, r2, mape, concordance }) => {
      const what = unit === "" ? "numbers" : unit;
      const shown = { "mean absolute error": mae, RMSE: rmse, "R²": r2, concordance } as const;
      return [
        ...Object.entries(shown).map(([name, found]) => ({ name: `${what}: ${name}`, value: plain(found), n })),
        { name: `${what}: relative error`, value: mape === null ? "–" : intervalText(mape), n },
        { name: `${what}: unreadable`, value: String(unreadable), n: n + unreadable },
      ];
    },
  );
  const further = Object.entries(figures ?? {}).flatMap(([kind, found]) =>
    Object.entries(found ?? {}).flatMap(([name, one]) => {
      // Evaluations of other programs may have figures of other shapes.
      if (typeof one?.estimate !== "number") return [];
      return [{ name: `${kind}: ${name.replaceAll("_", " ")}`, value: intervalText(one), n: one.n }];
    }),
  );
  const { precision = null, recall = null, hallucination_rate: invented = null } = facts ?? {};
  const stated = Object.entries({ "true of those decided": precision, "facts stated": recall, invented }).flatMap(
    ([name, one]) =>
      typeof one?.estimate !== "number" ? [] : [{ name: `statements: ${name}`, value: intervalText(one), n: one.n }],
  );
  return [...further, ...stated, ...measured];
}

function plain(found: Interval | null): string {
  return found === null ? "–" : `${short(found.estimate)} [${short(found.low)}, ${short(found.high)}]`;
}
