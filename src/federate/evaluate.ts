/** What the adapter of the last round answers on data.eval of the base, as rows that `viva compare` reads. */
import { existsSync } from "node:fs";
import { percent } from "../core/percent.ts";
import { evaluateFolder, evaluationLines } from "../export/evaluate-folder.ts";
import { replaceFile } from "../runs/durable.ts";
import type { Reporter } from "../runs/reporter.ts";
import type { SourceOptions } from "../session/sources.ts";
import type { FederationPaths } from "./folder.ts";
import type { Federation } from "./load.ts";

/** Evaluates once and tells the accuracy; nothing where the base names no data to evaluate on. */
export async function evaluateLast(
  { evaluation, rounds }: Federation,
  paths: FederationPaths,
  o: SourceOptions & { readonly reporter: Reporter },
): Promise<void> {
  if (evaluation === null || existsSync(paths.evals)) return;
  const found = await evaluateFolder(paths.global(rounds), evaluation, o);
  replaceFile(paths.evals, evaluationLines(found));
  const { overall } = found.summary.subsets;
  if (overall === undefined) return;
  const { estimate, low, high } = overall.accuracy;
  const figure = `${percent(estimate)} % [${percent(low)}, ${percent(high)}] of ${overall.n}`;
  o.reporter.message(`round ${rounds} on data.eval: accuracy ${figure}; ${paths.evals} is for viva compare`);
}
