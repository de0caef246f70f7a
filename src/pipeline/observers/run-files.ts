/** The record of a run in its folder: what resuming, reports and comparisons read. */
import { writeFileSync } from "node:fs";
import { whileWriting } from "../../core/system-errors.ts";
import { type Run, sidecarPath } from "../../runs/run-folder.ts";
import type { RunObserver } from "./observer.ts";

/** Appends to the streams of an open run, and writes a sidecar per step. */
export function runFiles(run: Run): RunObserver {
  return {
    step({ step, stage, metrics, rollouts, tokens }) {
      run.metrics.append({ step, stage, ...metrics });
      for (const record of rollouts) run.rollouts.append(record);
      if (tokens.length === 0) return;
      const lines = tokens.map((record) => JSON.stringify(record));
      const sidecar = sidecarPath(run.paths, step);
      whileWriting(sidecar, () => writeFileSync(sidecar, `${lines.join("\n")}\n`, { flush: true }));
    },
    evaluation({ step, stage, items, summary }) {
      for (const item of items) run.evals.append({ kind: "item", step, ...item });
      run.evals.append({ kind: "summary", step, stage, ...summary });
    },
    shots: (record) => run.evals.append({ kind: "shots", ...record }),
    event: (record) => run.events.append(record),
    rewardEvent: (record) => run.events.append(record),
  };
}
