/** What a row of a table says is right: one option, several of them, or a number with its unit. */
import { z } from "zod";
import { UserError } from "../core/errors.ts";
import type { NumericTarget } from "../core/records.ts";
import { readRow, writtenOption } from "./rows.ts";

/** The right option, for an answer given as its text or as its letter. */
export function answerIndex(answer: string, choices: readonly string[], where: string): number {
  const index = writtenOption(answer, choices);
  if (index >= 0) return index;
  throw new UserError(`${where}: the answer "${answer}" must be one of the options: ${choices.join(" | ")}`);
}

/** The right options of a question that may have several, given as their letters or texts: "A,C". */
export function rightLetters(answer: string, choices: readonly string[], where: string): string {
  const whole = writtenOption(answer, choices);
  const indices = whole >= 0 ? [whole] : answer.split(/\s*[,;]\s*/).map((part) => answerIndex(part, choices, where));
  return [...new Set(indices)]
    .sort((a, b) => a - b)
    .map((index) => String.fromCharCode(65 + index))
    .join(",");
}

/** A cell of a table of texts, as its number or as true or false; empty is absent. */
const filled = <T extends z.ZodType>(schema: T) => z.preprocess((value) => (value === "" ? undefined : value), schema);
const TRUTHS: Readonly<Record<string, boolean>> = {
  true: true,
  "1": true,
  yes: true,
  false: false,
  "0": false,
  no: false,
};
const targetFields = z.object({
  unit: filled(z.string().optional()),
  tolerance: filled(z.coerce.number().min(0).optional()),
  event: filled(
    z
      .preprocess(
        (value) => TRUTHS[String(value).trim().toLowerCase()] ?? value,
        z.boolean({ error: "must be true or false" }),
      )
      .optional(),
  ),
});

/**
 * The number of a numeric question with its unit ("24 mm", or the row's `unit`), and the row's `tolerance` and, of a survival
 * time, `event`: whether the patient died then, else was last seen alive.
 */
export function numericTarget(row: object, answer: string, where: string): NumericTarget {
  const read = /^([-\u2212]?(?:\d+(?:\.\d+)?|\.\d+))\s*((?!e[-+]?\d)[\p{L}%°‰]\S*)?$/iu.exec(answer);
  if (read === null)
    throw new UserError(
      `${where}: the answer "${answer}" must be a number, or one with a unit ("1500", "0.5 cm", without commas or powers)`,
    );
  const { unit = "", tolerance, event } = readRow(targetFields, row, where);
  const own = read[2] ?? "";
  if (unit !== "" && own !== "" && unit !== own) {
    throw new UserError(`${where}: the answer is in ${own} and "unit" says ${unit}: keep one`);
  }
  const said = own || unit;
  return {
    value: Number(read[1]!.replace("\u2212", "-")),
    ...(said === "" ? {} : { unit: said }),
    ...(tolerance === undefined ? {} : { tolerance }),
    ...(event === undefined ? {} : { event }),
  };
}
