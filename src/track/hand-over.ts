/**
 * Hands a run's records over to a tracker. A cursor in the run's folder, `trackers/<name>….json`, says how far it is: what
 * was sent is not sent again, whether the run is followed, resumed or handed over later.
 */
import { createHash, randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "../core/make-folder.ts";
import { replaceFile } from "../runs/durable.ts";
import { acquireLock } from "../runs/lock.ts";
import { type TrackOptions, trackerAt } from "./options.ts";
import { openRunReader, type Records } from "./run-reader.ts";
import { type ImageSource, sampleOf } from "./sample.ts";
import type { News, TrackedRun, TrackerState } from "./tracker.ts";

export interface HandedOver {
  readonly steps: number;
  readonly evaluations: number;
  readonly samples: number;
  /** The run's last step is done and sent. */
  readonly ended: boolean;
}

export interface HandOver {
  /** Folder or address. */
  readonly at: string;
  /** Sends what the run has recorded since; the sum of all calls. Rejects with the tracker's error, and can be called again. */
  send(): Promise<HandedOver>;
  close(): void;
}

/** How far a place is, by the last step of each kind. */
interface Cursor {
  readonly at: string;
  readonly id: string;
  readonly step: number;
  readonly evaluation: number;
  readonly sample: number;
  readonly ended: boolean;
  readonly state: TrackerState | null;
}

const rowsAtOnce = 200;

/** Throws UserError for a place that cannot be used, or that another process hands this run over to. */
export function openHandOver(folder: string, o: TrackOptions, images: ImageSource): HandOver {
  const { tracker, at } = trackerAt(o, folder);
  const reader = openRunReader(folder);
  const { paths, name, recipe, created, config } = reader;
  const project = o.project ?? recipe;
  // A run's own folder may be moved.
  const place = o.at === null ? "" : `-${shortHash(tracker.place === "folder" ? at : `${at} ${project}`)}`;
  const file = join(paths.folder, "trackers", `${o.to}${place}.json`);
  makeFolder(join(paths.folder, "trackers"));
  const lock = acquireLock(`${file}.lock`);
  const known = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Cursor) : newCursor(at);
  const runOf = ({ id }: Cursor): TrackedRun => ({ id, name, project, created, config });
  const isGone = known.state !== null && tracker.has?.(runOf(known), at, known.state) === false;
  let cursor = isGone ? newCursor(at) : known;
  const save = (next: Cursor) => {
    cursor = next;
    replaceFile(file, `${JSON.stringify(cursor, null, 2)}\n`);
  };
  save(cursor); // what is made at the place is found again by the id in it
  const run = runOf(cursor);
  let sum: HandedOver = { steps: 0, evaluations: 0, samples: 0, ended: cursor.ended };
  let scalars: Records["scalars"] = [];
  let rollouts: Records["rollouts"] = [];

  const deliver = async (news: Omit<News, "run">) => {
    const state = await tracker.deliver({ run, ...news }, at, cursor.state);
    const last = (of: "step" | "evaluation") => news.scalars.findLast((row) => row.of === of)?.step ?? cursor[of];
    const count = (of: "step" | "evaluation") => news.scalars.filter((row) => row.of === of).length;
    const sample = news.samples.at(-1)?.step ?? cursor.sample;
    save({ ...cursor, step: last("step"), evaluation: last("evaluation"), sample, ended: news.ended, state });
    sum = {
      steps: sum.steps + count("step"),
      evaluations: sum.evaluations + count("evaluation"),
      samples: sum.samples + news.samples.length,
      ended: news.ended,
    };
  };

  return {
    at,
    async send() {
      const read = reader.read();
      scalars = latest([...scalars, ...read.scalars], ({ of, step }) => `${of} ${step}`);
      scalars = scalars.filter(({ of, step }) => step > cursor[of]);
      rollouts = latest([...rollouts, ...read.rollouts], ({ step }) => step);
      rollouts = o.rollouts ? rollouts.filter(({ step }) => step > cursor.sample) : [];
      while (scalars.length + rollouts.length > 0 || read.ended !== cursor.ended) {
        const some = scalars.slice(0, rowsAtOnce);
        const isLast = some.length === scalars.length;
        const until = isLast ? Number.POSITIVE_INFINITY : some.at(-1)!.step;
        const samples = [];
        for (const row of rollouts) {
          if (row.step <= until) samples.push(await sampleOf(row, o.with_images ? images : null));
        }
        await deliver({ scalars: some, samples, time: read.time, ended: isLast && read.ended });
        scalars = scalars.slice(some.length);
        rollouts = rollouts.filter(({ step }) => step > until);
      }
      return sum;
    },
    close: () => lock.release(),
  };
}

function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}

/** Of rows with the same key the last: a run that was rewound has written some anew. */
function latest<T>(rows: readonly T[], key: (row: T) => unknown): readonly T[] {
  return [...new Map(rows.map((row) => [key(row), row])).values()];
}

function newCursor(at: string): Cursor {
  return { at, id: randomUUID().replaceAll("-", ""), step: 0, evaluation: -1, sample: 0, ended: false, state: null };
}
