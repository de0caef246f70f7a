/**
 * What is appended to a run, as server-sent events. An event's id is the position it leads to, in bytes, so that a browser
 * that reconnects, to this server or to one started since, goes on where it was; where files were cut, "reset" says so.
 */
import { type FSWatcher, watch } from "node:fs";
import type { Context } from "hono";
import { streamSSE } from "hono/streaming";
import type { GroupColumns } from "./groups.ts";
import type { Line } from "./lines.ts";
import type { Evaluation, RunView } from "./run-view.ts";

/** What came since the last event. */
export interface Appended {
  readonly metrics: readonly Line[];
  readonly events: readonly Line[];
  readonly evaluations: readonly ShownEvaluation[];
  readonly groups: GroupColumns;
}

/** What pages are told of an evaluation. */
export type ShownEvaluation = Omit<Evaluation, "first">;

/** At most four events a second. */
const QUIET_MS = 250;
/** A look at the files' sizes, for file systems that do not tell of changes. */
const LOOK_MS = 1000;
const KEEP_ALIVE_MS = 15_000;

export function tailRun(c: Context, run: RunView, from: string): Response {
  return streamSSE(c, async (stream) => {
    let position = c.req.header("last-event-id") ?? from;
    let wake: () => void = () => {};
    const watcher = watchFolder(run.found.folder, () => wake());
    stream.onAbort(() => {
      watcher?.close();
      wake();
    });
    let spoken = Date.now();
    while (!stream.aborted && !stream.closed) {
      run.update();
      const before = run.before(position);
      const now = run.position();
      if (before === null) await stream.writeSSE({ event: "reset", data: "{}", id: now });
      else if (now !== position) {
        const appended: Appended = {
          metrics: run.metrics.slice(before.metrics),
          events: run.events.slice(before.events),
          evaluations: run.evaluations.slice(before.evaluations).map(shownEvaluation),
          groups: run.groups.columns(before.groups),
        };
        await stream.writeSSE({ event: "rows", data: JSON.stringify(appended), id: now });
      }
      if (now !== position) spoken = Date.now();
      else if (Date.now() - spoken > KEEP_ALIVE_MS) {
        await stream.write(": still here\n\n");
        spoken = Date.now();
      }
      const quiet = now !== position;
      position = now;
      if (quiet) await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
      else {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, LOOK_MS);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    }
    watcher?.close();
  });
}

export function shownEvaluation({ first: _, ...shown }: Evaluation): ShownEvaluation {
  return shown;
}

function watchFolder(folder: string, changed: () => void): FSWatcher | null {
  try {
    const watcher = watch(folder, { persistent: false }, changed);
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return null; // the look at the sizes serves
  }
}
