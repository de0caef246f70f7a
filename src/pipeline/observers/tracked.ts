/** A run as an experiment tracker sees it: what is in its folder is handed over as it grows. A tracker that fails stops no run. */
import { messageOf } from "../../core/errors.ts";
import { shellWord } from "../../core/shell-word.ts";
import type { Run } from "../../runs/run-folder.ts";
import { openHandOver } from "../../track/hand-over.ts";
import type { TrackOptions } from "../../track/options.ts";
import type { ImageSource } from "../../track/sample.ts";
import type { RunObserver } from "./observer.ts";

export interface TrackedWith {
  readonly images: ImageSource;
  readonly warn: (text: string) => void;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

/** Pauses between deliveries, and after one that failed. */
const pauseMs = 2_000;
const pauseAfterFailureMs = 60_000;

/** Reads the run's files, so it must be told after they are written. */
export function tracked({ paths }: Run, options: TrackOptions, o: TrackedWith): RunObserver {
  const { folder } = paths;
  const now = o.now ?? (() => performance.now());
  const handOver = openHandOver(folder, options, o.images);
  let sending: Promise<void> | null = null;
  let next = Number.NEGATIVE_INFINITY;
  let hasWarned = false;
  const send = async (): Promise<boolean> => {
    try {
      await handOver.send();
      return true;
    } catch (error) {
      if (!hasWarned) o.warn(`${options.to}: ${messageOf(error)}; the run goes on and tries again`);
      hasWarned = true;
      return false;
    }
  };
  const poke = () => {
    if (sending !== null || now() < next) return;
    sending = send().then((isSent) => {
      next = now() + (isSent ? pauseMs : pauseAfterFailureMs);
      sending = null;
    });
  };
  return {
    step: poke,
    evaluation: poke,
    async close() {
      await sending;
      try {
        if (await send()) return;
        const place = options.at === null ? "" : ` --at ${shellWord(options.at)}`;
        o.warn(`${options.to} lacks the end of this run: viva track ${shellWord(folder)} --to ${options.to}${place}`);
      } finally {
        handOver.close();
      }
    },
  };
}
