/** Who is told of a run beside its folder (run-files.ts), and the telling. */
import { messageOf } from "../../core/errors.ts";
import type { Reporter } from "../../runs/reporter.ts";
import type { Run } from "../../runs/run-folder.ts";
import { runImages } from "../../session/run-images.ts";
import type { TrackOptions } from "../../track/options.ts";
import type { RunObserver } from "./observer.ts";
import { terminal } from "./terminal.ts";
import { tracked } from "./tracked.ts";

/** What observers are opened with. */
export interface Observed {
  readonly run: Run;
  /** Absent: nobody watches. */
  readonly reporter: Reporter | undefined;
  /** The recipe's trackers. */
  readonly track: readonly TrackOptions[];
}

/** In the order in which they are told. */
export function openObservers({ run, reporter, track }: Observed): readonly RunObserver[] {
  const images = runImages(run.paths.folder);
  return [
    ...(reporter === undefined ? [] : [terminal(reporter)]),
    ...track.map((options) => tracked(run, options, { images, warn: (text) => reporter?.warn(text) })),
  ];
}

/** Tells all observers in turn. */
export type Told = Required<Omit<RunObserver, "close">>;

/**
 * Work that observers are told of; afterwards all are closed. What an observer throws goes through the work like an error of
 * its own. A failure to close is thrown, or told to the others as a notice where there is an earlier one to throw.
 */
export async function observed<T>(observers: readonly RunObserver[], work: (told: Told) => Promise<T>): Promise<T> {
  const told = tellAll(observers);
  const failures: unknown[] = [];
  const attempt = async <R>(part: () => Promise<R> | undefined) => {
    try {
      return await part();
    } catch (error) {
      if (failures.length > 0) told.notice({ notice: "observer_failed", message: messageOf(error) });
      failures.push(error);
      return undefined;
    }
  };
  const result = await attempt(() => work(told));
  for (const observer of observers) await attempt(() => observer.close?.());
  if (failures.length > 0) throw failures[0];
  return result as T;
}

function tellAll(observers: readonly RunObserver[]): Told {
  return {
    step: (record) => observers.forEach((observer) => void observer.step?.(record)),
    evaluation: (record) => observers.forEach((observer) => void observer.evaluation?.(record)),
    shots: (record) => observers.forEach((observer) => void observer.shots?.(record)),
    event: (record) => observers.forEach((observer) => void observer.event?.(record)),
    rewardEvent: (record) => observers.forEach((observer) => void observer.rewardEvent?.(record)),
    notice: (record) => observers.forEach((observer) => void observer.notice?.(record)),
  };
}
