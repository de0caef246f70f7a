/**
 * The fits of one conventional model, and what it then says of other rows: many rows in a thread of their own, so that several
 * models are fitted at the same time. The numbers are the same either way.
 */
import type { Worker } from "node:worker_threads";
import { RunError } from "../../core/errors.ts";
import { startWorker } from "../../engine/start-worker.ts";
import type { ConventionalName } from "../names.ts";
import type { Features } from "./features.ts";
import { conventionalModels } from "./index.ts";
import type { FitInput, NumberInput } from "./model.ts";

export interface Fits {
  readonly model: ConventionalName;
  readonly parts: readonly Fit[];
}

/** Classes or numbers to fit to, and the rows that are then asked for. */
export type Fit =
  | { readonly to: "classes"; readonly input: FitInput; readonly rows: Features }
  | { readonly to: "numbers"; readonly input: NumberInput; readonly rows: Features };

/** Rows of all fits together from which on starting a thread pays (ours). */
const ROWS_APART = 1000;

/** For each fit its rows' probabilities [n, classes], or numbers [n]. Rejects with RunError where the thread dies. */
export async function fitted(fits: Fits): Promise<readonly Float64Array[]> {
  const rows = fits.parts.reduce((sum, { input }) => sum + input.features.n, 0);
  if (rows < ROWS_APART) return fittedHere(fits);
  const worker = startWorker(new URL("./fit-worker.ts", import.meta.url), fits);
  try {
    return await reply(worker);
  } finally {
    await worker.terminate();
  }
}

/** The same in this thread. */
export function fittedHere({ model, parts }: Fits): readonly Float64Array[] {
  const { classify, regress } = conventionalModels[model];
  return parts.map((fit) => {
    if (fit.to === "numbers") return regress(fit.input)(fit.rows);
    return fit.input.classes === 1 ? new Float64Array(fit.rows.n).fill(1) : classify(fit.input)(fit.rows);
  });
}

function reply(worker: Worker): Promise<readonly Float64Array[]> {
  return new Promise((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", (error) => reject(new RunError(`fitting a conventional model failed: ${error.message}`)));
    worker.on("exit", (code) => reject(new RunError(`the thread of a conventional model ended (exit code ${code})`)));
  });
}
