/**
 * Trains one run as jobs of a cluster. The run's folder is the truth: whether it has ended, whether somebody writes it, how
 * far it came. A job that is gone before the run has ended is followed by another, under a new id, which resumes.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { shellWord } from "../core/shell-word.ts";
import { listCheckpoints } from "../runs/checkpoints.ts";
import { HELD } from "../runs/lock.ts";
import type { StepInfo } from "../runs/reporter.ts";
import { isFinished, isRun, isWritten, runPaths } from "../runs/run-folder.ts";
import { type LogReader, openLog } from "./job-log.ts";
import { isAtWork, type JobView, type RayClient } from "./ray-client.ts";
import type { Resources } from "./resources.ts";

export interface RemoteRunOptions {
  readonly ray: RayClient;
  readonly resources: Resources;
  /** Words of the command that starts viva, the same on every node. */
  readonly viva: readonly string[];
  /** Distinguishes the jobs of this process from all others: a job's id is used once. */
  readonly nonce: string;
  /** Where jobs leave their output; seen by all nodes. */
  readonly jobs: string;
  readonly onStep: (info: StepInfo) => void;
  /** Told what became of jobs, and when the head cannot be reached. */
  readonly onNotice: (text: string) => void;
  readonly signal: AbortSignal;
  /** Milliseconds between looks; 2000 by default. */
  readonly every?: number;
}

/** A run to be trained: `recipe` is its file, read where the folder holds no run yet. */
export interface RemoteRun {
  readonly name: string;
  readonly folder: string;
  readonly recipe: string | null;
}

export type RemoteOutcome = { readonly ok: true } | { readonly ok: false; readonly message: string };

/** Jobs in a row that were lost without a further checkpoint, after which a run has failed. */
const LOST_IN_A_ROW = 5;
/** A head that is away for longer is given up. */
const AWAY_MS = 30 * 60_000;

/** Runs jobs until the run has ended, has failed by itself, or is to stop. */
export async function trainRemotely(run: RemoteRun, o: RemoteRunOptions): Promise<RemoteOutcome> {
  mkdirSync(o.jobs, { recursive: true });
  let lost = 0;
  for (let attempt = 1; ; attempt++) {
    const reached = await stepReached(run.folder);
    const ended = await runJob(run, `${run.name}-${o.nonce}-${attempt}`, o);
    if (ended.what !== "lost") return ended.what === "finished" ? { ok: true } : { ok: false, message: ended.message };
    lost = (await stepReached(run.folder)) > reached ? 1 : lost + 1;
    const times = `job ${attempt} of ${run.name} was lost (${ended.message})`;
    if (lost >= LOST_IN_A_ROW) return { ok: false, message: `${times}; ${lost} in a row made no checkpoint` };
    o.onNotice(`${times}; it is submitted again`);
  }
}

/** What a job writes on its node, and by which it is taken back. */
interface JobFiles {
  readonly log: string;
  readonly errors: string;
  readonly revoked: string;
}

const jobFiles = (folder: string, id: string): JobFiles => {
  const file = (ending: string) => join(folder, `${id}.${ending}`);
  return { log: file("jsonl"), errors: file("err"), revoked: file("revoked") };
};

type Ended = { readonly what: "finished" } | { readonly what: "failed" | "lost" | "stopped"; readonly message: string };

async function runJob({ folder, recipe }: RemoteRun, id: string, o: RemoteRunOptions): Promise<Ended> {
  const { ray, resources, signal, every = 2000 } = o;
  const files = jobFiles(o.jobs, id);
  const what = isRun(folder) ? ["--resume"] : [recipe!];
  const command = [...o.viva, "train", ...what, "--run", folder, "--json", "--no-report"].map(shellWord).join(" ");
  // `exec`: what Ray kills with a node is the program, not a shell that leaves it running. A job that begins after it was
  // taken back, as pending ones do, does nothing.
  const entrypoint = `test ! -e ${shellWord(files.revoked)} || exit 0; exec ${command} > ${shellWord(files.log)} 2> ${shellWord(files.errors)}`;
  const log = openLog(files.log, o.onStep);
  let refused: string | null = "";
  let away: number | null = null;
  for (;;) {
    if (signal.aborted) return stopJob(id, folder, files.revoked, o);
    if (refused !== null) refused = await ray.submit({ id, entrypoint, resources });
    const view: JobView = refused === null ? await ray.look(id) : { state: "away", message: refused };
    log.read();
    if (view.state === "away") {
      if (away === null) o.onNotice(`Ray at ${ray.url} does not answer; waiting for it`);
      away ??= performance.now();
      if (performance.now() - away > AWAY_MS)
        return { what: "failed", message: `Ray at ${ray.url} does not answer: ${view.message}` };
    } else if (away !== null) {
      o.onNotice(`Ray at ${ray.url} answers again`);
      away = null;
    }
    const ended = isAtWork(view) ? null : endOf(view, folder, files, log);
    if (ended !== null) return ended;
    await sleep(every, undefined, { signal }).catch(() => {});
  }
}

/** What became of a job that Ray no longer runs, or of which nothing is known; null while its run is still written. */
function endOf(view: JobView, folder: string, files: JobFiles, log: LogReader): Ended | null {
  if (isWritten(folder)) return null;
  if (isFinished(folder)) {
    log.read();
    return { what: "finished" };
  }
  if (view.state === "away") return null;
  writeFileSync(files.revoked, "");
  const own = errorIn(files.errors);
  // An earlier job of the run was still at work, and has ended since.
  if (own !== null && !own.includes(HELD)) return { what: "failed", message: own };
  if (view.state === "STOPPED") return { what: "failed", message: "the job was stopped on Ray" };
  return { what: "lost", message: view.message.split("\n")[0]!.slice(0, 200) || view.state };
}

/** The error that viva itself reported: the run failed, and would again. */
function errorIn(file: string): string | null {
  if (!existsSync(file)) return null;
  const line = readFileSync(file, "utf8")
    .split("\n")
    .findLast((each) => each.startsWith("error: "));
  return line === undefined ? null : line.slice("error: ".length);
}

/** Takes a job back, and waits until nobody writes its run. */
async function stopJob(
  id: string,
  folder: string,
  revoked: string,
  { ray, every = 2000 }: RemoteRunOptions,
): Promise<Ended> {
  writeFileSync(revoked, "");
  for (;;) {
    await ray.stop(id);
    const { state } = await ray.look(id);
    if (state !== "RUNNING" && !isWritten(folder)) return { what: "stopped", message: "stopped" };
    await sleep(every);
  }
}

/** The step of the newest checkpoint; -1 before the first. */
async function stepReached(folder: string): Promise<number> {
  return existsSync(runPaths(folder).checkpoints) ? ((await listCheckpoints(runPaths(folder))).at(-1) ?? -1) : -1;
}
