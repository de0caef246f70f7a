import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readEventFile } from "../../test/track/event-file.ts";
import { jsonLine, truncateJsonl } from "../runs/jsonl.ts";
import { openHandOver } from "./hand-over.ts";
import { type TrackOptions, trackSchema } from "./options.ts";

const created = "2026-11-29T10:00:00.000Z";
let folder: string;
let run: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viva-track-"));
  run = join(folder, "run");
  write(run, { steps: 4 });
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A run's record as viva writes it: an evaluation before the first step and after every second. */
function write(path: string, { steps, from = 1 }: { readonly steps: number; readonly from?: number }): void {
  if (from === 1) {
    mkdirSync(path);
    for (const name of ["metrics", "evals", "rollouts", "events"]) writeFileSync(join(path, `${name}.jsonl`), "");
    writeFileSync(join(path, "recipe.yaml"), "name: films\nmodel:\n  path: m\nreward:\n  api_key: sk-secret\n");
    writeFileSync(join(path, "environment.json"), JSON.stringify({ created }));
    append(path, "evals", evaluation(0));
  }
  for (let step = from; step <= steps; step++) {
    append(path, "metrics", {
      step,
      stage: "grpo",
      loss: step / 3,
      "reward/mean": step === 2 ? Number.NaN : 0.5,
      "time/step_s": 2,
    });
    append(path, "rollouts", rollout(step));
    if (step % 2 === 0) append(path, "evals", evaluation(step));
  }
}

function append(path: string, stream: string, record: object): void {
  appendFileSync(join(path, `${stream}.jsonl`), jsonLine(record));
}

function evaluation(step: number) {
  const accuracy = { estimate: 0.5, low: 0.4, high: 0.6, n: 9, subjects: 9 };
  const baselines = { majority: { accuracy: 0.45, difference: accuracy } };
  return { kind: "summary", step, stage: "grpo", subsets: { overall: { n: 9, accuracy, format_rate: 1, baselines } } };
}

function rollout(step: number) {
  const completions = [{ text: "```yes```", reward: 1 }];
  return {
    id: `${step}/0`,
    step,
    question: "Is it bright?",
    answer: "yes",
    choices: [],
    images: [{ path: "a" }],
    completions,
  };
}

const options = (more: object = {}): TrackOptions => trackSchema.parse({ to: "tensorboard", ...more });

async function send(path = run, more: object = {}) {
  const handOver = openHandOver(path, options(more), async () => null);
  try {
    return await handOver.send();
  } finally {
    handOver.close();
  }
}

const events = (path = run) => readEventFile(join(path, "tensorboard"));
const stepsOf = (tag: string, path = run) =>
  events(path)
    .scalars.filter(([name]) => name === tag)
    .map(([, step]) => step);

describe("a run handed over", () => {
  test("has every number of its record, at the times of its steps", async () => {
    expect(await send()).toEqual({ steps: 4, evaluations: 3, samples: 1, ended: false });
    const { scalars, text } = events();
    const start = Date.parse(created) / 1000;
    expect(scalars.filter(([tag]) => tag === "loss")).toEqual(
      [1, 2, 3, 4].map((step) => ["loss", step, Math.fround(step / 3), start + 2 * step]),
    );
    expect(scalars.find(([tag, step]) => tag === "reward/mean" && step === 2)![2]).toBeNaN();
    const accuracy = scalars.filter(([tag]) => tag.startsWith("eval/overall/accuracy"));
    expect(accuracy.map(([tag, step, value]) => [tag, step, value])).toEqual(
      [0, 2, 4].flatMap((step) => [
        ["eval/overall/accuracy", step, 0.5],
        ["eval/overall/accuracy_low", step, Math.fround(0.4)],
        ["eval/overall/accuracy_high", step, Math.fround(0.6)],
      ]),
    );
    expect(stepsOf("eval/overall/baseline/majority")).toEqual([0, 2, 4]);
    expect(text).toContain("````text\n```yes```\n````");
    expect(text).toContain("path: m");
    expect(text).not.toContain("sk-secret");
  });

  test("is not sent twice, and goes on where it was", async () => {
    await send();
    expect(await send()).toEqual({ steps: 0, evaluations: 0, samples: 0, ended: false });
    write(run, { from: 5, steps: 12 });
    append(run, "events", { event: "run_end", step: 12 });
    expect(await send()).toEqual({ steps: 8, evaluations: 4, samples: 1, ended: true });
    expect(stepsOf("loss")).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  test("of which a half-written row is left for the next time", async () => {
    appendFileSync(join(run, "metrics.jsonl"), '{"step":5,"lo');
    await send();
    appendFileSync(join(run, "metrics.jsonl"), 'ss":1}\n');
    await send();
    expect(stepsOf("loss")).toEqual([1, 2, 3, 4, 5]);
  });

  test("is there once although the cursor of its last delivery was lost", async () => {
    await send();
    const cursor = join(run, "trackers/tensorboard.json");
    const before = readFileSync(cursor);
    write(run, { from: 5, steps: 7 });
    await send();
    writeFileSync(cursor, before);
    await send();
    expect(stepsOf("loss")).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test("that was rewound while it is followed has each step once", async () => {
    const handOver = openHandOver(run, options(), async () => null);
    await handOver.send();
    for (const stream of ["metrics", "rollouts", "evals"]) {
      truncateJsonl(join(run, `${stream}.jsonl`), ({ step }) => Number(step) <= 2);
    }
    await handOver.send();
    write(run, { from: 3, steps: 6 });
    expect((await handOver.send()).steps).toBe(6);
    handOver.close();
    expect(stepsOf("loss")).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("is sent anew where the place lost it, and to another place", async () => {
    await send();
    rmSync(join(run, "tensorboard"), { recursive: true });
    expect((await send()).steps).toBe(4);
    expect((await send(run, { at: join(folder, "elsewhere") })).steps).toBe(4);
  });

  test("by one process at a time", async () => {
    const first = openHandOver(run, options(), async () => null);
    expect(() => openHandOver(run, options(), async () => null)).toThrow("is writing");
    first.close();
  });

  test("shows images only when asked to", async () => {
    const pixels = { width: 600, height: 300, channels: 3 as const, data: new Uint8Array(600 * 300 * 3) };
    const without = openHandOver(run, options({ at: join(folder, "without") }), async () => pixels);
    await without.send();
    without.close();
    const images = openHandOver(run, options({ with_images: true }), async () => pixels);
    await images.send();
    images.close();
    expect(events().text).toContain("PNG");
    const plain = readFileSync(join(folder, "without", readdirSync(join(folder, "without"))[0]!), "latin1");
    expect(plain).not.toContain("PNG");
    expect(plain).toContain("Is it bright?");
  });

  test("leaves samples out where they are not wanted", async () => {
    expect((await send(run, { rollouts: false })).samples).toBe(0);
    expect(events().text).not.toContain("Is it bright?");
  });
});

describe("a place", () => {
  test.each([
    [{ to: "mlflow" }, "at"],
    [{ to: "tensorboard", rollouts: false, with_images: true }, "with_images"],
  ])("%j is refused by its schema", (input, key) => {
    expect(trackSchema.safeParse(input).error!.issues[0]!.path).toEqual([key]);
  });

  test.each([
    ["here", "expected the server's address"],
    ["ftp://host/x", "expected the server's address"],
    ["http://me:pass@host", "leave passwords and tokens out"],
    ["http://host/?write_token=abc", "leave passwords and tokens out"],
  ])("%s is no address", (at, message) => {
    expect(() => openHandOver(run, options({ to: "mlflow", at }), async () => null)).toThrow(message);
    expect(existsSync(join(run, "trackers"))).toBe(false);
  });
});
