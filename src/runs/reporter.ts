/**
 * Progress for people and machines: one line rewritten in place on a terminal, occasional plain lines elsewhere, JSON
 * lines with --json, warnings only with --quiet. Nothing reads a reporter; the run folder is the record.
 */
import { jsonLine } from "./jsonl.ts";
import type { Metrics } from "./metrics.ts";

/** Where training stands after a step. */
export interface StepInfo {
  readonly stage: string;
  readonly step: number;
  /** Steps of the stage. */
  readonly total: number;
  readonly metrics: Metrics;
}

/** Where work that is no training step stands. */
export interface Progress {
  /** "evaluation", "writing weights". */
  readonly what: string;
  readonly done: number;
  /** Null where it is not known beforehand; `done` itself at the end. */
  readonly total: number | null;
}

/** Work that tells how far it is. */
export type OnProgress = (done: number, total: number | null) => void;

/** Told of each step; must be closed so that the last state is shown. */
export interface Reporter {
  step(info: StepInfo): void;
  /** Shown while it lasts, and only where it lasts for seconds. */
  progress(info: Progress): void;
  message(text: string): void;
  warn(text: string): void;
  close(): void;
}

/** The part of a stream that a reporter uses. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface ReporterOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  /** Progress and messages; stdout unless given. */
  readonly out?: Output;
  /** Warnings; stderr unless given. */
  readonly err?: Output;
  /** Looked up for NO_COLOR and TERM. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

/** The metrics shown, as [metric, label before, unit after], in order of importance: a narrow terminal drops the last. */
export const shownMetrics = [
  ["reward/mean", "reward ", ""],
  ["loss", "loss ", ""],
  ["completion/length_mean", "length ", ""],
  ["throughput/tokens_per_second", "", " tokens/s"],
  ["throughput/mb_per_second", "", " MB/s"],
] as const;

const plainLineEvery = 5000;
const redrawEvery = 60;
const barWidth = 20;

/** The reporter for the given switches and the kind of output. */
export function createReporter(options: ReporterOptions = {}): Reporter {
  const out = options.out ?? process.stdout;
  const err = options.err ?? process.stderr;
  const env = options.env ?? process.env;
  const now = options.now ?? (() => performance.now());
  if (options.json) return jsonReporter(out, now);
  if (options.quiet) return quietReporter(err);
  return out.isTTY && env.TERM !== "dumb" ? barReporter(out, err, !env.NO_COLOR, now) : lineReporter(out, err, now);
}

function jsonReporter(out: Output, now: () => number): Reporter {
  const line = (record: object) => void out.write(jsonLine(record));
  const isDue = sometimes(now);
  return {
    progress(info) {
      const left = isDue(info);
      if (left === null) return;
      line({ type: "progress", ...info, seconds_left: info.total === null ? null : Math.round(left) });
    },
    step: ({ stage, step, total, metrics }) => line({ type: "step", stage, step, total, metrics }),
    message: (text) => line({ type: "message", text }),
    warn: (text) => line({ type: "warning", text }),
    close() {},
  };
}

function quietReporter(err: Output): Reporter {
  return { step() {}, progress() {}, message() {}, warn: (text) => void err.write(`warning: ${text}\n`), close() {} };
}

function lineReporter(out: Output, err: Output, now: () => number): Reporter {
  const timeLeft = stepTimer(now);
  let pending: string | null = null;
  let lastShown = Number.NEGATIVE_INFINITY;
  const flush = () => {
    if (pending !== null) out.write(pending + "\n");
    pending = null;
  };
  const isDue = sometimes(now);
  return {
    progress(info) {
      const left = isDue(info);
      if (left === null) return;
      flush();
      out.write(`${progressText(info, left)}\n`);
    },
    step(info) {
      const line = [`${info.stage} ${info.step}/${info.total}`, ...describe(info, timeLeft(info))].join("  ");
      if (pending !== null && !pending.startsWith(`${info.stage} `)) flush();
      pending = line;
      if (info.step < info.total && now() - lastShown < plainLineEvery) return;
      flush();
      lastShown = now();
    },
    message: (text) => void out.write(text + "\n"),
    warn: (text) => void err.write(`warning: ${text}\n`),
    close: flush,
  };
}

function barReporter(out: Output, err: Output, colour: boolean, now: () => number): Reporter {
  const timeLeft = stepTimer(now);
  let shown: StepInfo | null = null;
  let left = 0;
  let lastDrawn = Number.NEGATIVE_INFINITY;
  const draw = () => {
    if (shown !== null) out.write(`\r${fitLine(shown, describe(shown, left), (out.columns ?? 80) - 1, colour)}\x1b[K`);
    lastDrawn = now();
  };
  const leave = () => {
    if (shown === null) return;
    draw();
    out.write("\n");
    shown = null;
  };
  const interrupt = (write: () => void) => {
    if (shown !== null || isPassing) out.write("\r\x1b[K");
    isPassing = false;
    write();
    draw();
  };
  let isPassing = false;
  const isDue = sometimes(now, redrawEvery);
  return {
    progress(info) {
      const left = isDue(info);
      const isUnderWay = info.total === null || info.done < info.total;
      if (left === null && isUnderWay) return;
      const text = progressText(info, left ?? 0).slice(0, (out.columns ?? 80) - 1);
      out.write(isUnderWay ? `\r${text}\x1b[K` : "\r\x1b[K");
      isPassing = isUnderWay;
      if (!isPassing) draw();
    },
    step(info) {
      if (shown !== null && shown.stage !== info.stage) leave();
      shown = info;
      left = timeLeft(info);
      if (info.step >= info.total) leave();
      else if (now() - lastDrawn >= redrawEvery) draw();
    },
    message: (text) => interrupt(() => out.write(text + "\n")),
    warn: (text) => interrupt(() => err.write(`${colour ? "\x1b[33mwarning:\x1b[0m" : "warning:"} ${text}\n`)),
    close: leave,
  };
}

/** Seconds left of the work, where it is time to tell of it: every so often, not at its beginning; null otherwise. */
function sometimes(now: () => number, every = plainLineEvery): (info: Progress) => number | null {
  let work: { readonly what: string; readonly from: number; readonly start: number } | null = null;
  let last = 0;
  let lastDone = 0;
  return ({ what, done, total }) => {
    const at = now();
    if (work?.what !== what || done < lastDone) {
      work = { what, from: done, start: at };
      last = at;
    }
    lastDone = done;
    if (at - last < every || done === work.from) return null;
    last = at;
    return ((at - work.start) / 1000 / (done - work.from)) * ((total ?? done) - done);
  };
}

function progressText({ what, done, total }: Progress, secondsLeft: number): string {
  return total === null ? `${what} ${done}` : `${what} ${done}/${total}  ${clock(secondsLeft)} left`;
}

/** The line cut to the width: first the bar goes, then the least important parts. */
function fitLine(info: StepInfo, parts: readonly string[], width: number, colour: boolean): string {
  const head = `${info.stage} ${info.step}/${info.total}`;
  const length = (n: number) => [head, ...parts.slice(0, n)].join("  ").length;
  let count = parts.length;
  while (count > 0 && length(count) > width) count--;
  const kept = parts.slice(0, count);
  if (count < parts.length || length(count) + barWidth + 4 > width) return [head, ...kept].join("  ").slice(0, width);
  const done = Math.round((barWidth * Math.min(info.step, info.total)) / Math.max(1, info.total));
  const full = "=".repeat(done);
  const bar = `[${colour ? `\x1b[32m${full}\x1b[0m` : full}${" ".repeat(barWidth - done)}]`;
  return [head, bar, ...kept].join("  ");
}

function describe({ step, total, metrics }: StepInfo, secondsLeft: number): readonly string[] {
  const parts = Number.isFinite(secondsLeft) && step < total ? [`${clock(secondsLeft)} left`] : [];
  const values = shownMetrics.flatMap(([key, before, after]) => {
    const value = metrics[key];
    return value === undefined ? [] : [`${before}${typeof value === "number" ? short(value) : value}${after}`];
  });
  return [...values.slice(0, 1), ...parts, ...values.slice(1)];
}

/** Seconds left of the stage from a running mean of the time between steps; NaN before the second step. */
function stepTimer(now: () => number): (info: StepInfo) => number {
  let previous: { stage: string; step: number; at: number } | null = null;
  let perStep = Number.NaN;
  return ({ stage, step, total }) => {
    const at = now();
    if (previous?.stage !== stage || step <= previous.step) perStep = Number.NaN;
    else {
      const latest = (at - previous.at) / 1000 / (step - previous.step);
      perStep = Number.isNaN(perStep) ? latest : 0.9 * perStep + 0.1 * latest;
    }
    previous = { stage, step, at };
    return perStep * (total - step);
  };
}

/** Four significant digits at most, no exponent for everyday sizes. */
function short(value: number): string {
  if (Math.abs(value) >= 1000) return value.toFixed(0);
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(1);
  return String(Number(value.toPrecision(4)));
}

/** 3:07 or 2:05:40. */
function clock(seconds: number): string {
  const s = Math.round(seconds);
  const pad = (n: number) => String(n).padStart(2, "0");
  const hours = Math.floor(s / 3600);
  const minutes = Math.floor(s / 60) % 60;
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(s % 60)}` : `${minutes}:${pad(s % 60)}`;
}
