/** What the adapter of the last round answers on data.eval of the base, as rows that `viva compare` reads. */
import { existsSync } from "node:fs";
import { evaluateFolder, evaluationLines } from "../export/evaluate-folder.ts";
import { replaceFile } from "../runs/durable.ts";
import type { SourceOptions } from "../session/sources.ts";
import type { FederationPaths } from "./folder.ts";
import type { Federation } from "./load.ts";

/** Evaluates once; nothing where the base names no data to evaluate on. */
export async function evaluateLast(federation: Federation, paths: FederationPaths, o: SourceOptions): Promise<void> {
  const { evaluation, rounds } = federation;
  if (evaluation === null || existsSync(paths.evals)) return;
  replaceFile(paths.evals, evaluationLines(await evaluateFolder(paths.global(rounds), evaluation, o)));
}
