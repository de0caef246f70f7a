/** Running a study from a program: each run is a separate process, as with the command. */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { writeStudyFiles } from "../report/index.ts";
import { acquireLock } from "../runs/lock.ts";
import type { StepInfo } from "../runs/reporter.ts";
import { defaultRunFolder } from "../runs/run-folder.ts";
import type { StudyResults } from "../runs/study-results.ts";
import { trainInChild } from "../study/child.ts";
import { executeRuns } from "../study/execute.ts";
import { createStudy, openStudy, studyPaths } from "../study/folder.ts";
import { loadStudy } from "../study/load.ts";
import { resultsSoFar } from "../study/results.ts";
import { type StudyChoice, selectRuns } from "../study/select.ts";

export interface StudyOptions extends StudyChoice {
  /** The study's folder; default runs/<name>-<time>. */
  readonly folder?: string;
  /** Resumes the study in the folder: finished runs are not repeated. */
  readonly resume?: boolean;
  /** Runs the shortened form defined by the study file. */
  readonly quick?: boolean;
  /** Number of concurrent runs; default 1. */
  readonly jobs?: number;
  /** Called after each step, with the run's folder. */
  readonly onStep?: (folder: string, step: StepInfo) => void;
  /** Called after each run; `message` says why it failed, null if it did not. */
  readonly onRunEnd?: (folder: string, message: string | null) => void;
  readonly signal?: AbortSignal;
}

export interface StudyOutcome {
  readonly folder: string;
  readonly results: StudyResults;
  /** Folders of failed runs; `resume` retries them. */
  readonly failed: readonly string[];
}

/** Runs a study file, writes study.json and report.html into its folder, and returns its results. */
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
    const results = resultsSoFar(study, runs, paths);
    writeStudyFiles(results, paths);
    return { folder, results, failed };
  } finally {
    lock.release();
  }
}
