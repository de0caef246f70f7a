/** A study's folder: the study as it was started, its runs, and a journal of what became of each. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { parse, stringify } from "yaml";
import { UserError } from "../core/errors.ts";
import { makeFolder } from "../core/make-folder.ts";
import { replaceFile } from "../runs/durable.ts";
import { scanJsonl } from "../runs/jsonl.ts";
import type { Timings } from "./estimate.ts";
import type { Study } from "./load.ts";

/** Paths of a study's files. */
export interface StudyPaths {
  readonly folder: string;
  /** The study with every arm's complete recipe. */
  readonly study: string;
  readonly journal: string;
  readonly timings: string;
  readonly results: string;
  readonly report: string;
  /** Recipes of runs that have not started. */
  readonly recipes: string;
  readonly lock: string;
}

/** A row of the journal. */
export type JournalLine =
  | { readonly event: "run_start"; readonly run: string; readonly time: string }
  | { readonly event: "run_end"; readonly run: string; readonly seconds: number }
  | { readonly event: "run_failed"; readonly run: string; readonly seconds: number; readonly message: string }
  | { readonly event: "run_stopped"; readonly run: string; readonly seconds: number };

export function studyPaths(folder: string): StudyPaths {
  return {
    folder,
    study: join(folder, "study.yaml"),
    journal: join(folder, "journal.jsonl"),
    timings: join(folder, "timings.json"),
    results: join(folder, "study.json"),
    report: join(folder, "report.html"),
    recipes: join(folder, "recipes"),
    lock: join(folder, ".lock"),
  };
}

/** Creates the folder of a new study; throws UserError if it is not empty. */
export function createStudy(folder: string, study: Study): StudyPaths {
  const paths = studyPaths(folder);
  if (existsSync(folder) && readdirSync(folder).some((name) => !name.startsWith(".lock"))) {
    const holds = existsSync(paths.study)
      ? "already has a study: resume it with --resume, or choose another --run"
      : "is not empty: choose another --run";
    throw new UserError(`${folder} ${holds}`);
  }
  makeFolder(paths.recipes);
  replaceFile(paths.study, stringify(study, { lineWidth: 0, aliasDuplicateObjects: false }));
  return paths;
}

/** The study in a folder; throws UserError with the differences if `asked` is another study. */
export function openStudy(folder: string, asked: Study | null): { readonly paths: StudyPaths; readonly study: Study } {
  const paths = studyPaths(folder);
  if (!existsSync(paths.study)) throw new UserError(`${folder}: there is no study to resume`);
  const study = parse(readFileSync(paths.study, "utf8")) as Study;
  const changes = asked === null ? [] : differences(study, asked);
  if (changes.length === 0) return { paths, study };
  throw new UserError(
    `the study file differs from the study of ${folder} (${changes.join(", ")}); leave it out to resume that study, or start a new one`,
  );
}

function differences(old: Study, now: Study): readonly string[] {
  const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;
  const whole = (["name", "about", "seeds", "reference", "predicts"] as const).filter(
    (key) => !isDeepStrictEqual(plain(old[key]), plain(now[key])),
  );
  const names = new Set([...old.arms, ...now.arms].map(({ name }) => name));
  const arms = [...names].filter((name) => {
    const [a, b] = [old, now].map(({ arms }) => arms.find((arm) => arm.name === name));
    return a === undefined || b === undefined || !isDeepStrictEqual(plain(a), plain(b));
  });
  return [...whole, ...arms.map((name) => `arm ${name}`)];
}

/** Summarises the journal per run: total seconds, and the last failure unless the run was retried since. */
export function readJournal({ journal }: StudyPaths) {
  const seconds = new Map<string, number>();
  const failures = new Map<string, string>();
  if (!existsSync(journal)) return { seconds, failures };
  for (const line of scanJsonl<JournalLine>(journal)) {
    if (line.event === "run_start") failures.delete(line.run);
    else seconds.set(line.run, (seconds.get(line.run) ?? 0) + line.seconds);
    if (line.event === "run_failed") failures.set(line.run, line.message);
  }
  return { seconds, failures };
}

export function readTimings({ timings }: StudyPaths): Timings {
  return existsSync(timings) ? (JSON.parse(readFileSync(timings, "utf8")) as Timings) : {};
}

export function writeTimings({ timings }: StudyPaths, values: Timings): void {
  replaceFile(timings, `${JSON.stringify(values, null, 2)}\n`);
}
