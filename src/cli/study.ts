/** viva study: a grid of arms and seeds, each run in a process of its own, then tables and a report. */
import { join, resolve } from "node:path";
import { Command } from "commander";
import { RunError, UserError } from "../core/errors.ts";
import { estimateRun, remainingSeconds, timeStages } from "../recipes/study/estimate.ts";
import { executeRuns } from "../recipes/study/execute.ts";
import {
  createStudy,
  isFinished,
  openStudy,
  readJournal,
  readTimings,
  type StudyPaths,
  studyPaths,
  writeTimings,
} from "../recipes/study/folder.ts";
import { loadStudy, type Study, withNeeded } from "../recipes/study/load.ts";
import { type PlannedRun, planRuns } from "../recipes/study/plan.ts";
import { studyResults } from "../recipes/study/results.ts";
import { writeStudyReport } from "../report/index.ts";
import { replaceFile } from "../runs/durable.ts";
import { acquireLock } from "../runs/lock.ts";
import { createReporter, type Reporter } from "../runs/reporter.ts";
import { defaultRunFolder } from "../runs/run-folder.ts";
import type { StudyResults } from "../runs/study-results.ts";
import type { Interruption } from "./arguments.ts";
import { trainInChild } from "./study-child.ts";
import { clock, planRecord, planText, resultText } from "./study-text.ts";

interface StudyOptions {
  readonly run?: string;
  readonly resume?: boolean;
  readonly plan?: boolean;
  readonly quick?: boolean;
  readonly arms?: readonly string[];
  readonly seeds?: readonly number[];
  readonly json?: boolean;
}

export function studyCommand(interruption: Interruption): Command {
  return new Command("study")
    .description("run a study: arms times seeds, shared starts trained once, then tables and a report")
    .argument("[study]", "YAML file; may be left out with --resume")
    .option("--run <folder>", "study folder (default: runs/<name>-<time>)")
    .option("--resume", "go on with the study in --run; what is finished is not run again")
    .option("--plan", "time a few steps, print the plan with its estimate, and run nothing")
    .option("--quick", "the short form that the study file describes")
    .option("--arms <names>", "only these arms, the reference and what they start from (a,b,c)", names)
    .option("--seeds <numbers>", "only these of the study's seeds (1,2)", numbers)
    .option("--json", "progress as JSON lines, the results last; with --plan one JSON object")
    .action((file: string | undefined, options: StudyOptions) =>
      interruption.during((signal) => study(file, options, signal)),
    );
}

/** Seconds that a process of viva takes to begin: this one's own, when it was read. */
const processStart = performance.now() / 1000;

async function study(file: string | undefined, o: StudyOptions, signal: AbortSignal): Promise<void> {
  const asked = askedStudy(file, o);
  const folder = resolve(o.run ?? defaultRunFolder(asked?.name ?? ""));
  const opened = o.resume ? openStudy(folder, asked).study : asked!;
  const runs = selected(opened, o);
  const reporter = createReporter({ ...(o.json ? { json: true } : {}) });
  try {
    if (o.plan) return await printPlan(opened, runs, studyPaths(folder), o, reporter, signal);
    const paths = o.resume ? studyPaths(folder) : createStudy(folder, opened);
    const lock = acquireLock(paths.lock);
    try {
      await runStudy(opened, runs, paths, o, reporter, signal);
    } finally {
      lock.release();
    }
  } finally {
    reporter.close();
  }
}

function askedStudy(file: string | undefined, { resume, run, quick, plan }: StudyOptions): Study | null {
  if (resume && run === undefined) throw new UserError("study --resume: name the study's folder with --run");
  if (file === undefined && !resume)
    throw new UserError("study: name a study file, or a folder with --run and --resume");
  if (file === undefined && quick)
    throw new UserError("study --resume: a study stays as it was started, leave --quick out");
  if (plan && run !== undefined && !resume)
    throw new UserError("study --plan: --run needs --resume; a plan makes no folder");
  return file === undefined ? null : loadStudy(file, { quick: quick ?? false });
}

/** The runs asked for and all that they need. The plan is the whole study's, so that a later choice finds the same folders. */
function selected(study: Study, { arms, seeds }: StudyOptions): readonly PlannedRun[] {
  const unknown = seeds?.find((seed) => !study.seeds.includes(seed));
  if (unknown !== undefined)
    throw new UserError(`--seeds: ${unknown} is none of the study's ${study.seeds.join(", ")}`);
  const wanted = new Set((arms === undefined ? study.arms : withNeeded(study, arms)).map(({ name }) => name));
  const all = planRuns(study);
  const needed = new Set<string>();
  for (const { folder, arm, seed, parent, weights } of all.toReversed()) {
    const asked = arm !== null && wanted.has(arm) && (seeds === undefined || seeds.includes(seed));
    if (!asked && !needed.has(folder)) continue;
    for (const one of [folder, parent, weights]) if (one !== null) needed.add(one);
  }
  return all.filter(({ folder }) => needed.has(folder));
}

/** Seconds that each run takes, by steps timed now or before. */
async function estimate(
  runs: readonly PlannedRun[],
  paths: StudyPaths,
  keep: boolean,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const open = runs.filter(({ folder }) => !isFinished(join(paths.folder, folder)));
  const known = readTimings(paths);
  const onProbe = (done: number, of: number) => {
    if (done === 0) reporter.message(`timing ${of} kinds of stage for the plan…`);
    reporter.step({ stage: "timing", step: done + 1, total: of, metrics: {} });
  };
  const timings = await timeStages(open, known, { signal, onProbe });
  if (keep && timings !== known) writeTimings(paths, timings);
  return new Map(runs.map((run) => [run.folder, processStart + estimateRun(run, timings)]));
}

/** Finished runs with the seconds they took. */
function finishedSeconds(runs: readonly PlannedRun[], paths: StudyPaths): Map<string, number> {
  const { seconds } = readJournal(paths);
  const done = runs.filter(({ folder }) => isFinished(join(paths.folder, folder)));
  return new Map(done.map(({ folder }) => [folder, seconds.get(folder) ?? 0]));
}

async function printPlan(
  study: Study,
  runs: readonly PlannedRun[],
  paths: StudyPaths,
  o: StudyOptions,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<void> {
  const quiet: Reporter = { ...reporter, message() {}, step() {} };
  const estimates = await estimate(runs, paths, false, o.json ? quiet : reporter, signal);
  const finished = finishedSeconds(runs, paths);
  const left = remainingSeconds(runs, estimates, finished);
  const plan = { study, runs, estimates, finished, left };
  console.log(o.json ? JSON.stringify(planRecord(plan)) : planText(plan));
}

async function runStudy(
  study: Study,
  runs: readonly PlannedRun[],
  paths: StudyPaths,
  o: StudyOptions,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<void> {
  const estimates = await estimate(runs, paths, true, reporter, signal);
  const finished = finishedSeconds(runs, paths);
  reporter.message(planText({ study, runs, estimates, finished, left: remainingSeconds(runs, estimates, finished) }));
  reporter.message(`study folder: ${paths.folder}`);
  const failed: string[] = [];
  let current = "";
  const number = ({ folder }: PlannedRun) => `[${runs.findIndex((run) => run.folder === folder) + 1}/${runs.length}]`;
  const steps = o.json || process.stdout.isTTY ? reporter.step : () => {};
  const onStep: Reporter["step"] = (info) => steps({ ...info, stage: `${current} ${info.stage}` });
  try {
    await executeRuns(runs, paths, {
      train: trainInChild(onStep, signal),
      signal,
      onStart: (run) => {
        current = `${number(run)} ${run.folder.split("/")[1]}`;
      },
      onEnd: (run, seconds, message) => {
        const { folder } = run;
        if (message !== null) {
          failed.push(folder);
          return reporter.warn(`${number(run)} ${folder} failed: ${message}`);
        }
        finished.set(folder, readJournal(paths).seconds.get(folder) ?? seconds);
        const left = runs.filter((one) => !failed.includes(one.folder));
        reporter.message(
          `${number(run)} ${folder}: ${clock(seconds)}; ${clock(remainingSeconds(left, estimates, finished))} left`,
        );
      },
    });
  } finally {
    if (finished.size > 0) await writeResults(study, runs, paths, o, reporter);
  }
  if (failed.length === 0) return;
  throw new RunError(
    `${failed.length} of ${runs.length} runs failed (${failed.join(", ")}); viva study --run ${paths.folder} --resume tries them again`,
  );
}

async function writeResults(
  study: Study,
  runs: readonly PlannedRun[],
  paths: StudyPaths,
  o: StudyOptions,
  reporter: Reporter,
): Promise<void> {
  const results: StudyResults = studyResults(study, shownRuns(study, runs, paths), paths);
  replaceFile(paths.results, `${JSON.stringify(results, null, 2)}\n`);
  writeStudyReport(results, paths.folder, paths.report);
  if (o.json) console.log(JSON.stringify({ type: "results", file: paths.results, report: paths.report, results }));
  else reporter.message(`\n${resultText(results)}\n\nresults: ${paths.results}\nreport: ${paths.report}`);
}

/** The runs of this time, and those finished before. */
function shownRuns(study: Study, runs: readonly PlannedRun[], paths: StudyPaths): readonly PlannedRun[] {
  const now = new Set(runs.map(({ folder }) => folder));
  return planRuns(study).filter(({ folder }) => now.has(folder) || isFinished(join(paths.folder, folder)));
}

function names(text: string): readonly string[] {
  return text.split(",").map((name) => name.trim());
}

function numbers(text: string): readonly number[] {
  return names(text).map((part) => {
    if (/^\d+$/.test(part)) return Number(part);
    throw new UserError(`--seeds ${text}: expected whole numbers with commas between them, such as 1,2`);
  });
}
