/** A run told to an observer of one's own: it hears all that the folder holds, and can stop the run. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import type { RunObserver } from "../../src/pipeline/observers/observer.ts";
import { trainRecipe } from "../../src/pipeline/train-recipe.ts";
import { loadRecipe, resolvedYaml } from "../../src/recipes/load.ts";
import { environment } from "../../src/runs/environment.ts";
import { jsonLine } from "../../src/runs/jsonl.ts";
import { createRun } from "../../src/runs/run-folder.ts";
import { openSession } from "../../src/session/session.ts";
import { temporaryFolder } from "./command-line.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();

beforeAll(async () => {
  const [model, data] = [writeTinyModel(join(folder, "model")), await writeFilms(join(folder, "films"))];
  writeRecipe(join(folder, "tiny.yaml"), tinyRecipe({ model, data }));
});

async function train(name: string, observer: RunObserver): Promise<void> {
  const { recipe } = loadRecipe(join(folder, "tiny.yaml"), ["stages.0.steps=1", "stages.1.steps=2"]);
  const run = join(folder, name);
  const session = await openSession(recipe, run);
  try {
    const opened = createRun(run, { recipeYaml: resolvedYaml(recipe), environment: environment([]) });
    try {
      await trainRecipe(recipe, session, opened, { observers: [observer], resume: false });
    } finally {
      opened.close();
    }
  } finally {
    await session.close();
  }
}

it("is told what the files say, byte for byte, and of their order", async () => {
  const told = { metrics: "", rollouts: "", evals: "", events: "", notices: [] as string[], tokens: 0, closed: 0 };
  const order: string[] = [];
  await train("watched", {
    step({ step, stage, metrics, rollouts, tokens }) {
      told.metrics += jsonLine({ step, stage, ...metrics });
      told.rollouts += rollouts.map(jsonLine).join("");
      told.tokens += tokens.length;
      order.push(`step ${step}`);
    },
    evaluation({ step, stage, items, summary }) {
      for (const item of items) told.evals += jsonLine({ kind: "item", step, ...item });
      told.evals += jsonLine({ kind: "summary", step, stage, ...summary });
      order.push(`evaluation ${step}`);
    },
    event(record) {
      told.events += jsonLine(record);
      if (record.event !== "preflight") order.push(record.event);
    },
    notice: ({ notice }) => void told.notices.push(notice),
    close: async () => void told.closed++,
  });
  const file = (name: string) => readFileSync(join(folder, "watched", `${name}.jsonl`), "utf8");
  for (const name of ["metrics", "rollouts", "evals", "events"] as const) {
    expect(told[name], name).toBe(file(name));
    expect(told[name].length, name).toBeGreaterThan(0);
  }
  expect([told.notices, told.closed]).toEqual([["memory", ...Array(12).fill("evaluating")], 1]); // 3 x 4 questions
  expect(told.tokens).toBe(file("rollouts").trimEnd().split("\n").length);
  const [sft, grpo] = [
    ["stage_start", "step 1", "evaluation 1", "checkpoint"],
    ["stage_start", "step 2", "checkpoint", "step 3", "evaluation 3", "checkpoint"],
  ];
  expect(order).toEqual(["evaluation 0", ...sft!, ...grpo!, "run_end"]);
});

it("stops the run where it fails; the record holds the step all the same", async () => {
  const failing: RunObserver = {
    step: ({ step }) => {
      if (step === 2) throw new Error("the tracker is gone");
    },
  };
  await expect(train("stopped", failing)).rejects.toThrow("the tracker is gone");
  const steps = readFileSync(join(folder, "stopped", "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n");
  expect(steps.map((line) => JSON.parse(line).step)).toEqual([1, 2]);
});
