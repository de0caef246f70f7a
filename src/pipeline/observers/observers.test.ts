import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readEventFile } from "../../../test/track/event-file.ts";
import type { EvalItem, EvalSummary } from "../../evaluate/index.ts";
import { environment } from "../../runs/environment.ts";
import { createReporter } from "../../runs/reporter.ts";
import { createRun, type Run, sidecarPath } from "../../runs/run-folder.ts";
import type { PreflightReport } from "../../session/preflight.ts";
import { trackSchema } from "../../track/options.ts";
import type { RolloutRecord } from "../../train/rollout-records.ts";
import { observed } from "./index.ts";
import type { RunObserver, StepRecord } from "./observer.ts";
import { runFiles } from "./run-files.ts";
import { terminal } from "./terminal.ts";
import { tracked } from "./tracked.ts";

const step: StepRecord = {
  step: 12,
  stage: "grpo",
  ofStage: { step: 2, steps: 10 },
  metrics: { loss: Number.NaN, "reward/mean": 0.5 },
  rollouts: [{ id: "12/0", step: 12 } as RolloutRecord, { id: "12/1", step: 12 } as RolloutRecord],
  tokens: [
    { id: "12/0", completions: [{ token_ids: [1, 2], log_probs: [-0.5, -1] }] },
    { id: "12/1", completions: [] },
  ],
};
const evaluation = {
  ...{ step: 12, stage: "grpo" },
  items: [{ example_id: "a" } as EvalItem],
  summary: { checkpoint: "step-000012", subsets: {} } as unknown as EvalSummary,
};

describe("the run folder", () => {
  let folder: string;
  let run: Run;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "viva-observers-"));
    run = createRun(join(folder, "run"), { recipeYaml: "name: x\n", environment: environment([]) });
  });
  afterEach(() => {
    run.close();
    rmSync(folder, { recursive: true });
  });
  const text = (name: string) => readFileSync(join(folder, "run", name), "utf8");

  test("has every record as its lines, keys in their order", () => {
    const files = runFiles(run);
    files.step!(step);
    files.evaluation!(evaluation);
    files.event!({ event: "checkpoint", step: 12, name: "step-000012" });
    files.rewardEvent!({ event: "reward_failed", step: 12, stage: "grpo", reward: "judge", times: 2 });
    expect(text("metrics.jsonl")).toBe('{"step":12,"stage":"grpo","loss":"NaN","reward/mean":0.5}\n');
    expect(text("rollouts.jsonl")).toBe('{"id":"12/0","step":12}\n{"id":"12/1","step":12}\n');
    expect(readFileSync(sidecarPath(run.paths, 12), "utf8")).toBe(
      '{"id":"12/0","completions":[{"token_ids":[1,2],"log_probs":[-0.5,-1]}]}\n{"id":"12/1","completions":[]}\n',
    );
    expect(text("evals.jsonl")).toBe(
      '{"kind":"item","step":12,"example_id":"a"}\n' +
        '{"kind":"summary","step":12,"stage":"grpo","checkpoint":"step-000012","subsets":{}}\n',
    );
    expect(text("events.jsonl")).toBe(
      '{"event":"checkpoint","step":12,"name":"step-000012"}\n' +
        '{"event":"reward_failed","step":12,"stage":"grpo","reward":"judge","times":2}\n',
    );
  });

  test("has no sidecar of a step that sampled nothing, and no notice", () => {
    const files = runFiles(run);
    files.step!({ ...step, rollouts: [], tokens: [] });
    expect(() => readFileSync(sidecarPath(run.paths, 12))).toThrow("ENOENT");
    expect(files.notice).toBeUndefined();
  });
});

test("the terminal says what a watcher has to know, and no more", () => {
  const shown = { out: "", err: "" };
  const to = (stream: "out" | "err") => ({ write: (text: string) => (shown[stream] += text), isTTY: false });
  const reporter = createReporter({ out: to("out"), err: to("err"), env: {}, now: () => 0 });
  const { event, notice, ...observer } = terminal(reporter) as Required<RunObserver>;
  const at = { step: 3, stage: "grpo" };
  notice({ notice: "resumed", step: null });
  notice({ notice: "resumed", step: 2 });
  notice({ notice: "checkpoint_damaged", folder: "c", reason: "short" });
  const preflight = {
    data: "data.train",
    examples: 2,
    kept: 1,
    longest: {},
    dropped: { too_long: { count: 1, first: ["b"] } },
    notices: [],
  };
  event({ event: "preflight", step: 0, stage: "start", ...(preflight as unknown as PreflightReport) });
  const skipped = { event: "example_skipped", example_id: "a", reason: "broken" } as const;
  event({ ...skipped, step: 0, stage: "start" });
  event({ ...skipped, ...at });
  event({ event: "stage_start", ...at, steps: 4 });
  const about = { ...at, rule: "reward_stuck", subject: "format" };
  const firing = { threshold: 1, value: 2, window: 3, evidence: [], message: "format was 0", advice: "Look." };
  event({ event: "alarm", ...about, ...firing });
  event({ event: "alarm_cleared", ...at, rule: "truncated", value: 0, clear: 1 });
  observer.rewardEvent({ ...at, event: "reward_failed", message: "no answer", reward: "judge", times: 2 });
  observer.step(step);
  observer.evaluation(evaluation);
  reporter.close();
  const out = shown.out.trimEnd().split("\n");
  expect(out).toEqual([
    "no checkpoint yet: starting from the beginning",
    "resuming after step 2",
    expect.stringMatching(/^data\.train: 1 of 2 examples/),
    "step 3: alarm truncated cleared",
    expect.stringMatching(/^grpo 2\/10 {2}reward 0\.5/),
    "step 12 (grpo): no items",
  ]);
  expect(shown.err.trimEnd().split("\n")).toEqual([
    "warning: c is damaged and skipped: short",
    "warning: data.train: 1 left out, too long for the model's context: b",
    'warning: example "a" skipped: broken',
    "warning: step 3: alarm reward_stuck (format): format was 0. Look.",
    "warning: reward_failed no answer judge 2",
  ]);
});

describe("a tracker", () => {
  let folder: string;
  let run: Run;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "viva-observers-"));
    run = createRun(join(folder, "run"), { recipeYaml: "name: x\n", environment: environment([]) });
  });
  afterEach(() => {
    run.close();
    rmSync(folder, { recursive: true });
  });
  const options = trackSchema.parse({ to: "tensorboard" });

  test("is handed what the files hold, all of it when the run closes", async () => {
    const warnings: string[] = [];
    const observer = tracked(run, options, { images: async () => null, warn: (text) => warnings.push(text) });
    for (const number of [1, 2, 3]) {
      run.metrics.append({ step: number, stage: "grpo", loss: number });
      observer.step!({ ...step, step: number });
    }
    await observer.close!();
    const { scalars } = readEventFile(join(folder, "run/tensorboard"));
    expect(scalars.map(([tag, at]) => [tag, at])).toEqual([1, 2, 3].map((at) => ["loss", at]));
    expect(warnings).toEqual([]);
  });

  test("that fails warns, once on the way and once at the end, and is tried again", async () => {
    const warnings: string[] = [];
    writeFileSync(join(folder, "file"), "");
    const at = join(folder, "file", "below");
    const observer = tracked(
      run,
      { ...options, at },
      { images: async () => null, warn: (text) => warnings.push(text) },
    );
    for (const number of [1, 2]) {
      run.metrics.append({ step: number, stage: "grpo", loss: number });
      observer.step!({ ...step, step: number });
    }
    await observer.close!();
    expect(warnings).toEqual([
      expect.stringMatching(/^tensorboard: .*a part of its path is a file, not a folder.*; the run goes on/),
      `tensorboard lacks the end of this run: viva track ${join(folder, "run")} --to tensorboard --at ${at}`,
    ]);
  });
});

describe("an observer that fails", () => {
  const failing = (part: "step" | "close"): RunObserver => {
    return { [part]: part === "step" ? () => fail("disk full") : async () => fail("not sent") };
  };
  const fail = (message: string): never => {
    throw new Error(message);
  };

  test("stops the work with its own error, after those before it were told; all are closed", async () => {
    const seen: string[] = [];
    const watch = (name: string): RunObserver => ({
      step: () => void seen.push(`${name} step`),
      close: async () => void seen.push(`${name} closed`),
    });
    const work = observed([watch("first"), failing("step"), watch("last")], async (told) => {
      told.step(step);
      seen.push("went on");
    });
    await expect(work).rejects.toThrow("disk full");
    expect(seen).toEqual(["first step", "first closed", "last closed"]);
  });

  test("in closing fails a run that went well, and is told beside another failure", async () => {
    await expect(observed([failing("close")], async () => 1)).rejects.toThrow("not sent");
    const notices: unknown[] = [];
    const watch: RunObserver = { notice: (notice) => void notices.push(notice) };
    const stopped = new DOMException("stop", "AbortError");
    const work = observed([failing("close"), watch], () => Promise.reject(stopped));
    await expect(work).rejects.toBe(stopped);
    expect(notices).toEqual([{ notice: "observer_failed", message: "not sent" }]);
  });
});
