/** Stands in for src/engine/start-worker.ts in tests: the worker as it is built, which loads no TypeScript. */
import { basename, join } from "node:path";
import { Worker } from "node:worker_threads";
import { inject } from "vitest";

export function startWorker(source: URL, workerData: unknown): Worker {
  return new Worker(join(inject("built"), "dist/cli", basename(source.pathname, ".ts").concat(".js")), { workerData });
}
