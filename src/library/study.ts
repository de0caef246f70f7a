/** Running a study from a program: each run is a process of its own, as with the command. */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { writeStudyReport } from "../report/index.ts";
import { replaceFile } from "../runs/durable.ts";
import { acquireLock } from "../runs/lock.ts";
import type { StepInfo } from "../runs/reporter.ts";
import { defaultRunFolder } from "../runs/run-folder.ts";
import type { StudyResults } from "../runs/study-results.ts";
import { trainInChild } from "../study/child.ts";
import { executeRuns } from "../study/execute.ts";
import { createStudy, openStudy, studyPaths } from "../study/folder.ts";
import { loadStudy } from "../study/load.ts";
import { studyResults } from "../study/results.ts";
import { type StudyChoice, selectRuns } from "../study/select.ts";

export interface StudyOptions extends StudyChoice {
  /** The study's folder; by default runs/<name>-<time>. */
  readonly folder?: string;
  /** Goes on with the study in the folder: what is finished is not run again. */
  readonly resume?: boolean;
  /** The short form that the study file describes. */
  readonly quick?: boolean;
  /** Runs at the same time; 1 by default. */
  readonly jobs?: number;
  /** Told of each step by the run's folder. */
  readonly onStep?: (folder: string, step: StepInfo) => void;
  /** Told of each run that ended; `message` says why one failed. */
  readonly onRunEnd?: (folder: string, message: string | null) => void;
  readonly signal?: AbortSignal;
}

export interface StudyOutcome {
  readonly folder: string;
  readonly results: StudyResults;
  /** Folders of the runs that failed; `resume` tries them again. */
  readonly failed: readonly string[];
}

/** Runs a study file, writes study.json and report.html into its folder, and returns what it found. */
export async function runStudy(file: string, o: StudyOptions = {}): Promise<StudyOutcome> {
  const asked = loadStudy(file, { quick: o.quick ?? false });
  const folder = resolve(o.folder ?? defaultRunFolder(asked.name));
  const study = o.resume ? openStudy(folder, asked).study : asked;
  const runs = selectRuns(study, o);
  if (!o.resume) createStudy(folder, study);
  const paths = studyPaths(folder);
  const signal = o.signal ?? new AbortController().signal;
  const failed: string[] = [];
  const lock = acquireLock(paths.lock);
  try {
    const viva = [fileURLToPath(new URL("../cli/main.js", import.meta.url))];
    await executeRuns(runs, paths, {
      train: trainInChild({ viva, onStep: o.onStep ?? (() => {}), signal }),
      jobs: o.jobs ?? 1,
      signal,
      onEnd: (run, _, message) => {
        if (message !== null) failed.push(run.folder);
        o.onRunEnd?.(run.folder, message);
      },
    });
    const results = studyResults(study, runs, paths);
    replaceFile(paths.results, `${JSON.stringify(results, null, 2)}\n`);
    writeStudyReport(results, folder, paths.report);
    return { folder, results, failed };
  } finally {
    lock.release();
  }
}
