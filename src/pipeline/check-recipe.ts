/** One look at a recipe before it runs: what it names, its data, its memory and, where asked for, what its rewards say. */
import { mkdtempSync, rmSync } from "node:fs";
import { freemem, tmpdir } from "node:os";
import { join } from "node:path";
import type { EngineInspection } from "../engine/backend.ts";
import type { Recipe } from "../recipes/schema.ts";
import { isPreference } from "../recipes/stage-kinds.ts";
import type { PreflightReport } from "../session/preflight.ts";
import { fitsAll, type RunMemory } from "../session/run-memory.ts";
import { inspectEngine, openData, openEngine, type RunData } from "../session/session.ts";
import { isMistake } from "../session/shared-subjects.ts";
import type { SourceOptions } from "../session/sources.ts";
import type { RecipeCheck, RewardSamples } from "./check-schema.ts";
import { planStages } from "./planned-stages.ts";
import { requireSampling, sampleRewards } from "./sample-rewards.ts";

export interface CheckOptions extends SourceOptions {
  /** Questions that each sampling stage answers; 0 opens no engine. */
  readonly sample: number;
  /** A run (its newest checkpoint) or a checkpoint of one to sample from; null: the recipe's own weights. */
  readonly checkpoint: string | null;
  readonly signal: AbortSignal;
}

/** Opens what a run would open and leaves nothing behind. UserError as `viva train` gives it before its first step, memory aside. */
export async function checkRecipe(recipe: Recipe, o: CheckOptions): Promise<RecipeCheck> {
  if (o.sample > 0) requireSampling(recipe);
  const folder = mkdtempSync(join(tmpdir(), "viva-check-")); // a judge's replies go here
  try {
    const data = await openData(recipe, folder, o);
    try {
      const engine = await inspectEngine(data);
      const found = describe(data, engine);
      return { ...found, samples: o.sample > 0 && found.can_run ? await sample(data, o) : null };
    } finally {
      await data.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function sample(data: RunData, o: CheckOptions): Promise<RewardSamples> {
  const session = await openEngine(data);
  try {
    return await sampleRewards(session, o);
  } finally {
    await session.engine.close();
  }
}

function describe(data: RunData, engine: EngineInspection | null): Omit<RecipeCheck, "samples"> {
  const { recipe, processor, overlap, memory } = data;
  const allowed = !isMistake(data.located.local);
  const { path, revision, init, lora, quantize_frozen } = recipe.model;
  const stages = planStages(recipe, data).map(({ index, name, steps }) => {
    return { stage: index, kind: name, steps, rewards: data.rewards[index]!.map(({ reward }) => reward.name) };
  });
  return {
    schema: "viva.check/1",
    recipe: recipe.name,
    can_run: canRun(data) && (engine === null || engine.refused.length === 0),
    model: {
      ...{ path, revision, init, quantize_frozen },
      lora_rank: lora === null ? null : lora.r,
      stop_token_ids: [...processor.stopTokenIds],
    },
    data: data.preflight.map((found) => ({ ...sourceOf(recipe, found), ...plain(found) })),
    overlap: overlap === null ? null : { ...overlap, first: [...overlap.first], allowed },
    stages,
    steps: stages.reduce((total, { steps }) => total + steps, 0),
    memory: memory === null ? null : inGigabytes(memory),
    engine: engine === null ? null : { ...engine, refused: [...engine.refused], notices: [...engine.notices] },
  };
}

/** Whether this machine has the memory, of which an engine elsewhere takes none, and the data share nothing by mistake. */
function canRun({ memory, overlap, located }: RunData): boolean {
  return (memory === null || fitsAll(memory)) && (overlap === null || !isMistake(located.local));
}

/** The data set that a report is about. */
function sourceOf({ data, stages }: Recipe, { data: key }: PreflightReport) {
  const spec = { "data.train": data.train, "data.eval": data.eval }[key];
  if (spec) return { name: spec.name, path: spec.path, split: spec.split };
  const stage = stages.find((stage, i) => isPreference(stage) && key === `stages.${i}.pairs`)!;
  return { name: "jsonl", path: isPreference(stage) ? stage.pairs : null, split: null };
}

function plain({ dropped, notices, ...found }: PreflightReport) {
  const entries = Object.entries(dropped).map(
    ([why, { count, first }]) => [why, { count, first: [...first] }] as const,
  );
  const told = notices.map((notice) => ({ ...notice, first: [...notice.first] }));
  return { ...found, notices: told, dropped: Object.fromEntries(entries) as RecipeCheck["data"][number]["dropped"] };
}

function inGigabytes({
  stage,
  step,
  plan,
  available,
  fits,
  changes,
  together,
  device,
}: RunMemory): NonNullable<RecipeCheck["memory"]> {
  return {
    stage,
    largest_step: {
      prompts: step.prompts,
      prompt_tokens: step.promptTokens,
      image_tokens: step.imageTokens,
      num_generations: step.numGenerations,
      completion_tokens: step.completionTokens,
    },
    ...{ parts_gb: partsOf(plan), total_gb: plan.total / 1e9, available_gb: available / 1e9 },
    free_gb: freemem() / 1e9,
    fits,
    changes: changes.map(({ change, total }) => ({ change, total_gb: total / 1e9, fits: total <= available })),
    together_gb: together === null ? null : together / 1e9,
    device: device === null ? null : onDevice(device),
  };
}

function partsOf({ parts }: RunMemory["plan"]): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(parts).map(([part, bytes]) => [part, bytes / 1e9]));
}

function onDevice({ plan, available, fits }: RunMemory) {
  const told = Number.isFinite(available) ? available / 1e9 : null;
  return { parts_gb: partsOf(plan), total_gb: plan.total / 1e9, available_gb: told, fits };
}
