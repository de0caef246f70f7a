/** A study as asked: its runs, each in a process of its own, then tables and a report. */

import { join, resolve } from "node:path";
import { duration } from "../core/duration.ts";
import { RunError, UserError } from "../core/errors.ts";
import { shellWord } from "../core/shell-word.ts";
import { writeStudyFiles } from "../report/index.ts";
import { acquireLock } from "../runs/lock.ts";
import { createReporter, type Reporter, type StepInfo } from "../runs/reporter.ts";
import { defaultRunFolder, isFinished } from "../runs/run-folder.ts";
import { trainInChild } from "../study/child.ts";
import { estimateRun, remainingSeconds, timeStages } from "../study/estimate.ts";
import { executeRuns } from "../study/execute.ts";
import {
  createStudy,
  openStudy,
  readJournal,
  readTimings,
  type StudyPaths,
  studyPaths,
  writeTimings,
} from "../study/folder.ts";
import { loadStudy, type Study } from "../study/load.ts";
import type { PlannedRun } from "../study/plan.ts";
import { resultsSoFar } from "../study/results.ts";
import { selectRuns } from "../study/select.ts";
import { type Cluster, openCluster } from "./on-ray.ts";
import { type Plan, planRecord, planText, resultText } from "./study-text.ts";
import { timeInChild } from "./study-timing.ts";

export interface StudyOptions {
  readonly run?: string;
  readonly resume?: boolean;
  readonly plan?: boolean;
  readonly quick?: boolean;
  readonly arms?: readonly string[];
  readonly seeds?: readonly number[];
  /** Default 1; on a cluster all. */
  readonly jobs?: number;
  readonly ray?: string;
  readonly resources?: string;
  readonly json?: boolean;
}

/** A study with what of it is to be run, where, and how. */
interface AskedStudy {
  readonly study: Study;
  readonly runs: readonly PlannedRun[];
  readonly paths: StudyPaths;
  readonly options: StudyOptions;
  readonly version: string;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

/** Seconds that a process of viva takes to begin: this one's own, when it was read. */
const processStart = performance.now() / 1000;

export async function study(
  file: string | undefined,
  o: StudyOptions,
  version: string,
  signal: AbortSignal,
): Promise<void> {
  const asked = askedStudy(file, o);
  const folder = resolve(o.run ?? defaultRunFolder(asked?.name ?? ""));
  const opened = o.resume ? openStudy(folder, asked).study : asked!;
  const runs = selectRuns(opened, o);
  const reporter = createReporter({ ...(o.json ? { json: true } : {}) });
  try {
    const asked = { study: opened, runs, paths: studyPaths(folder), options: o, version, reporter, signal };
    if (o.plan) return await printPlan(asked);
    if (!o.resume) createStudy(folder, opened);
    const lock = acquireLock(asked.paths.lock);
    try {
      await runStudy(asked);
    } finally {
      lock.release();
    }
  } finally {
    reporter.close();
  }
}

function askedStudy(
  file: string | undefined,
  { resume, run, quick, plan, ray, resources }: StudyOptions,
): Study | null {
  if (plan && ray !== undefined) throw new UserError("study --plan: it times this machine, leave --ray out");
  if (resources !== undefined && ray === undefined) throw new UserError("study: --resources needs --ray");
  if (resume && run === undefined) throw new UserError("study --resume: name the study's folder with --run");
  if (file === undefined && !resume)
    throw new UserError("study: name a study file, or a folder with --run and --resume");
  if (file === undefined && quick)
    throw new UserError("study --resume: a study stays as it was started, leave --quick out");
  if (plan && run !== undefined && !resume)
    throw new UserError("study --plan: --run needs --resume; a plan makes no folder");
  return file === undefined ? null : loadStudy(file, { quick: quick ?? false });
}

/** Seconds that each run takes, by steps timed now or before. */
async function estimate({ runs, paths, options, reporter, signal }: AskedStudy): Promise<ReadonlyMap<string, number>> {
  const open = runs.filter(({ folder }) => !isFinished(join(paths.folder, folder)));
  const known = readTimings(paths);
  const onProbe = (done: number, of: number) => {
    if (options.plan && options.json) return;
    if (done === 0) reporter.message(`timing ${of} kinds of stage for the plan…`);
    reporter.step({ stage: "timing", step: done + 1, total: of, metrics: {} });
  };
  const timings = await timeStages(open, known, { time: timeInChild(signal), signal, onProbe });
  if (!options.plan && timings !== known) writeTimings(paths, timings);
  return new Map(runs.map((run) => [run.folder, processStart + estimateRun(run, timings)]));
}

/** Finished runs with the seconds they took. */
function finishedSeconds(runs: readonly PlannedRun[], paths: StudyPaths): Map<string, number> {
  const { seconds } = readJournal(paths);
  const done = runs.filter(({ folder }) => isFinished(join(paths.folder, folder)));
  return new Map(done.map(({ folder }) => [folder, seconds.get(folder) ?? 0]));
}

/** What is to be run and how long it will take. */
async function planOf(asked: AskedStudy): Promise<Plan> {
  const { study, runs, paths, options } = asked;
  const estimates = await estimate(asked);
  const finished = finishedSeconds(runs, paths);
  return { study, runs, estimates, finished, left: remainingSeconds(runs, estimates, finished) / (options.jobs ?? 1) };
}

async function printPlan(asked: AskedStudy): Promise<void> {
  const plan = await planOf(asked);
  console.log(asked.options.json ? JSON.stringify(planRecord(plan)) : planText(plan));
}

async function runStudy(asked: AskedStudy): Promise<void> {
  const { study, runs, paths, options: o, reporter, signal } = asked;
  const onCluster = o.ray === undefined ? null : await clusterOf(asked, o.ray);
  const plan = onCluster === null ? await planOf(asked) : null;
  const finished = new Map(plan?.finished);
  reporter.message(plan === null ? `${study.name}: ${runs.length} runs on Ray` : planText(plan));
  reporter.message(`study folder: ${paths.folder}`);
  const failed: string[] = [];
  const number = ({ folder }: PlannedRun) => `[${runs.findIndex((run) => run.folder === folder) + 1}/${runs.length}]`;
  const steps = o.json || process.stdout.isTTY ? reporter.step : () => {};
  const onStep = (folder: string, info: StepInfo) => {
    const run = runs.find((one) => join(paths.folder, one.folder) === folder)!;
    steps({ ...info, stage: `${number(run)} ${run.folder.split("/")[1]} ${info.stage}` });
  };
  const left = () => {
    if (plan === null) return "";
    const open = runs.filter((one) => !failed.includes(one.folder));
    return `; ${duration(remainingSeconds(open, plan.estimates, finished) / (o.jobs ?? 1))} left`;
  };
  const onNode = (folder: string, recipe: string | null) => {
    const run = { name: `viva-${study.name}-${folder.split("/").slice(-2).join("-")}`, folder, recipe };
    return onCluster!.train(run, (info) => onStep(folder, info));
  };
  try {
    await executeRuns(runs, paths, {
      train:
        onCluster === null ? trainInChild({ viva: [...process.execArgv, process.argv[1]!], onStep, signal }) : onNode,
      jobs: o.jobs ?? (onCluster === null ? 1 : runs.length),
      signal,
      onEnd: (run, seconds, message) => {
        const { folder } = run;
        if (message !== null) {
          failed.push(folder);
          return reporter.warn(`${number(run)} ${folder} failed: ${message}`);
        }
        finished.set(folder, readJournal(paths).seconds.get(folder) ?? seconds);
        reporter.message(`${number(run)} ${folder}: ${duration(seconds)}${left()}`);
      },
    });
  } catch (error) {
    if (signal.aborted) reporter.warn(`stopped; to go on: viva study --run ${shellWord(paths.folder)} --resume`);
    throw error;
  } finally {
    if (finished.size > 0) writeResults(asked);
  }
  if (failed.length === 0) return;
  throw new RunError(
    `${failed.length} of ${runs.length} runs failed (${failed.join(", ")}); viva study --run ${paths.folder} --resume tries them again`,
  );
}

/** The cluster, once its nodes have shown that they see what the runs need. */
function clusterOf({ runs, paths, options, version, reporter, signal }: AskedStudy, ray: string): Promise<Cluster> {
  return openCluster({ ...options, ray }, version, {
    jobs: join(paths.folder, "jobs"),
    recipes: runs.map(({ recipe }) => recipe),
    onNotice: (text) => reporter.message(text),
    signal,
  });
}

function writeResults({ study, runs, paths, options: o, reporter }: AskedStudy): void {
  const results = resultsSoFar(study, runs, paths);
  writeStudyFiles(results, paths);
  if (o.json) console.log(JSON.stringify({ type: "results", file: paths.results, report: paths.report, results }));
  else reporter.message(`\n${resultText(results)}\n\nresults: ${paths.results}\nreport: ${paths.report}`);
}
