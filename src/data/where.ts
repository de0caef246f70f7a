/** Questions of some strata alone, such as those of one modality for an expert, or of one hospital for a site. */
import { UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import { didYouMean } from "../core/suggest.ts";

/** Values of `meta` by name; a question is taken if it has one of them in every name. */
export type Where = Readonly<Record<string, readonly string[]>>;

const MOST_NAMED = 12;

/** The examples of these strata, in their order; throws UserError for a stratum or a value that no question has. */
export function examplesWhere(name: string, examples: readonly Example[], where: Where): readonly Example[] {
  if (examples.length === 0) return examples;
  const strata = [...new Set(examples.flatMap(({ meta }) => Object.keys(meta)))];
  for (const [stratum, wanted] of Object.entries(where)) {
    if (!strata.includes(stratum)) throw new UserError(unknown(`where: no question has "${stratum}"`, stratum, strata));
    const values = [...new Set(examples.flatMap(({ meta }) => meta[stratum] ?? []))];
    const absent = wanted.find((value) => !values.includes(value));
    if (absent !== undefined) {
      throw new UserError(unknown(`where: no question has "${absent}" as ${stratum}`, absent, values));
    }
  }
  const entries = Object.entries(where);
  const chosen = examples.filter(({ meta }) =>
    entries.every(([stratum, wanted]) => wanted.includes(meta[stratum] ?? "")),
  );
  if (chosen.length > 0) return chosen;
  const asked = entries.map(([stratum, wanted]) => `${stratum} ${wanted.join(" or ")}`).join(" and ");
  throw new UserError(`dataset "${name}": where: no question is of ${asked} at once`);

  function unknown(problem: string, given: string, known: readonly string[]): string {
    const more = known.length > MOST_NAMED ? ` and ${known.length - MOST_NAMED} more` : "";
    const there = known.length === 0 ? "none has any" : `there are ${known.slice(0, MOST_NAMED).join(", ")}${more}`;
    return `dataset "${name}": ${problem}${didYouMean(given, known)}; ${there}`;
  }
}
