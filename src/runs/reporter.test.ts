import { expect, test } from "vitest";
import { isTimingKey } from "./metrics.ts";
import { createReporter, type ReporterOptions, type StepInfo } from "./reporter.ts";

function recorded(options: ReporterOptions & { isTTY?: boolean; columns?: number }) {
  const text = { out: "", err: "", time: 0 };
  const reporter = createReporter({
    env: {},
    now: () => text.time,
    out: { write: (t) => (text.out += t), isTTY: options.isTTY ?? false, columns: options.columns ?? 120 },
    err: { write: (t) => (text.err += t) },
    ...options,
  });
  return { text, reporter };
}

const at = (step: number, stage = "grpo"): StepInfo => ({
  stage,
  step,
  total: 10,
  metrics: {
    "reward/mean": 0.53217,
    loss: 0.00001234,
    "completion/length_mean": 31.25,
    "throughput/tokens_per_second": 81234.5,
  },
});

test("plain output: the first step, then one line every few seconds, and always the last", () => {
  const { text, reporter } = recorded({});
  for (let step = 1; step <= 10; step++) {
    text.time += 2000;
    reporter.step(at(step));
  }
  reporter.close();
  const lines = text.out.split("\n");
  expect(lines.map((line) => line.split("  ")[0])).toEqual(["grpo 1/10", "grpo 4/10", "grpo 7/10", "grpo 10/10", ""]);
  expect(lines[1]).toBe("grpo 4/10  reward 0.5322  0:12 left  loss 1.2e-5  length 31.25  81235 tokens/s");
  expect(text.out).not.toContain("\r");
});

test("plain output: the last state before a stage ends or the reporter closes is not lost", () => {
  const { text, reporter } = recorded({});
  for (const info of [at(1), at(2), at(1, "sft"), at(2, "sft")]) reporter.step(info);
  reporter.close();
  reporter.close();
  expect(text.out.match(/^\w+ \d+/gm)).toEqual(["grpo 1", "grpo 2", "sft 2"]);
});

test("a terminal gets one line rewritten in place, never wider than it is", () => {
  for (const columns of [12, 30, 45, 60, 100, 200]) {
    const { text, reporter } = recorded({ isTTY: true, columns, env: { NO_COLOR: "1" } });
    for (let step = 1; step <= 5; step++) {
      text.time += 1000;
      reporter.step(at(step));
    }
    const drawn = text.out.split("\r").map((line) => line.replace("\x1b[K", ""));
    expect(drawn).toHaveLength(6);
    for (const line of drawn) expect(line.length).toBeLessThan(columns);
    expect(text.out).not.toContain("\n");
    reporter.close();
    expect(text.out.endsWith("\n")).toBe(true);
  }
});

test("the bar shows the share done; colour only where wanted", () => {
  const plain = recorded({ isTTY: true, env: { NO_COLOR: "1" } });
  plain.reporter.step(at(5));
  expect(plain.text.out).toContain(`grpo 5/10  [${"=".repeat(10)}${" ".repeat(10)}]  reward 0.5322`);
  expect(plain.text.out.replace("\x1b[K", "")).not.toContain("\x1b");
  const colour = recorded({ isTTY: true, env: {} });
  colour.reporter.step(at(5));
  expect(colour.text.out).toContain("\x1b[32m");
  const dumb = recorded({ isTTY: true, env: { TERM: "dumb" } });
  dumb.reporter.step(at(5));
  expect(dumb.text.out).not.toContain("\r");
});

test("messages and warnings do not tear the bar", () => {
  const { text, reporter } = recorded({ isTTY: true, env: { NO_COLOR: "1" } });
  reporter.step(at(1));
  const bar = text.out;
  reporter.message("checkpoint written");
  expect(text.out).toBe(`${bar}\r\x1b[Kcheckpoint written\n${bar}`);
  reporter.warn("reward is flat");
  expect(text.err).toBe("warning: reward is flat\n");
  expect(text.out.endsWith(bar)).toBe(true);
});

test("--json prints one object a line, with every metric", () => {
  const { text, reporter } = recorded({ json: true, isTTY: true });
  reporter.step({ ...at(1), metrics: { step: 401, loss: Number.NaN } });
  reporter.message("hello");
  reporter.warn("careful");
  reporter.close();
  expect(
    text.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([
    { type: "step", stage: "grpo", step: 1, total: 10, metrics: { step: 401, loss: "NaN" } },
    { type: "message", text: "hello" },
    { type: "warning", text: "careful" },
  ]);
  expect(text.err).toBe("");
});

test("--quiet lets only warnings through", () => {
  const { text, reporter } = recorded({ quiet: true, isTTY: true });
  reporter.step(at(10));
  reporter.message("hello");
  reporter.warn("careful");
  reporter.close();
  expect(text).toMatchObject({ out: "", err: "warning: careful\n" });
});

test("timing fields are told by their prefix", () => {
  expect(["time/sample_s", "throughput/tokens_per_second"].every(isTimingKey)).toBe(true);
  expect(["loss", "completion/time", "timeline"].some(isTimingKey)).toBe(false);
});

test("progress of other work is told only where it lasts, with the time left, and leaves nothing behind on a terminal", () => {
  const answer = (reporter: ReturnType<typeof recorded>, ms: number) => {
    for (let done = 1; done <= 20; done++) {
      reporter.text.time += ms;
      reporter.reporter.progress({ what: "evaluation", done, total: 20 });
    }
  };
  const short = recorded({});
  answer(short, 100);
  expect(short.text.out).toBe("");
  const long = recorded({});
  answer(long, 1000);
  expect(long.text.out).toBe("evaluation 6/20  0:14 left\nevaluation 11/20  0:09 left\nevaluation 16/20  0:04 left\n");
  const again = recorded({});
  answer(again, 100);
  again.text.time += 3_600_000;
  answer(again, 1000);
  expect(again.text.out, "the hour between two evaluations is no part of the second").toBe(long.text.out);
  const json = recorded({ json: true });
  answer(json, 2000);
  expect(JSON.parse(json.text.out.split("\n")[0]!)).toEqual({
    ...{ type: "progress", what: "evaluation", done: 4, total: 20 },
    seconds_left: 32,
  });
  const bar = recorded({ isTTY: true });
  answer(bar, 1000);
  expect(bar.text.out).toContain("\revaluation 19/20  0:01 left\x1b[K");
  expect(bar.text.out.endsWith("\r\x1b[K")).toBe(true);
  const quiet = recorded({ quiet: true });
  answer(quiet, 9000);
  expect(quiet.text.out + quiet.text.err).toBe("");
  const uncounted = recorded({});
  for (let done = 1; done <= 8; done++) {
    uncounted.text.time += 1000;
    uncounted.reporter.progress({ what: "reading rows", done, total: null });
  }
  expect(uncounted.text.out).toBe("reading rows 6\n");
});
