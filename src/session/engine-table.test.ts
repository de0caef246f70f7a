/** A recipe's engine.backend chooses the engine, and what that engine does not plan is not asked of it. */
import { expect, test, vi } from "vitest";
import type { EngineOptions } from "../engine/backend.ts";
import type { TrainingEngine } from "../engine/engine.ts";
import { dryStepWanted } from "../pipeline/dry-step.ts";
import { loadRecipe } from "../recipes/load.ts";
import type { Recipe } from "../recipes/schema.ts";
import { openData, openSession } from "./session.ts";

const opened = vi.hoisted(() => [] as EngineOptions[]);
vi.mock("../engine/index.ts", async (original) => {
  const { engines } = await original<typeof import("../engine/index.ts")>();
  const open = async (options: EngineOptions): Promise<TrainingEngine> => {
    opened.push(options);
    return { contextLength: 7, close: async () => {} } as unknown as TrainingEngine;
  };
  return { engines: { ...engines, elsewhere: { open } }, engineNames: ["local", "elsewhere"] };
});

const recipeOn = (backend: string): Recipe => {
  const small = ["data.train.limit=4", "data.eval.limit=4"];
  const file = new URL("../../recipes/demo-grpo.yaml", import.meta.url).pathname;
  return loadRecipe(file, [...small, `engine.backend=${backend}`]).recipe;
};

test("the named backend opens the model; without a plan of its own there is none of the run", async () => {
  const recipe = recipeOn("elsewhere");
  const session = await openSession(recipe, "/nowhere");
  try {
    expect(session.engine.contextLength).toBe(7);
    expect(opened).toMatchObject([{ seed: 7, rows: recipe.engine.rows, initialise: "pretrained" }]);
    expect(session.memory).toBeNull();
    // It is memory of this machine that the longest sample would try.
    expect(dryStepWanted(recipe, session, 1000)).toBe(false);
    expect(dryStepWanted({ ...recipe, engine: { ...recipe.engine, dry_step: true } }, session, 1)).toBe(true);
  } finally {
    await session.close();
  }
});

test("the local engine plans the memory of this machine", async () => {
  const { memory, close } = await openData(recipeOn("local"), "/nowhere");
  await close();
  expect(memory!.plan.parts["weights"]).toBeGreaterThan(0);
  expect(opened).toHaveLength(1);
});
