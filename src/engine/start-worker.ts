/** Starts worker threads of engines, built or from source. */
import { Worker } from "node:worker_threads";

/** `source` is the worker's file as it is named here; run from source (tests, development), it registers the TypeScript loader itself. */
export function startWorker(source: URL, workerData: unknown): Worker {
  if (!import.meta.url.endsWith(".ts")) return new Worker(new URL(source.href.replace(/\.ts$/, ".js")), { workerData });
  const loader = JSON.stringify(import.meta.resolve("tsx/esm/api"));
  const worker = JSON.stringify(source.href);
  return new Worker(`import(${loader}).then(({ register }) => { register(); return import(${worker}); })`, {
    eval: true,
    workerData,
  });
}
