/** What viva doctor says of a recipe: the memory of its largest step, whether this machine has it, and what would help. */
import { mkdtempSync, rmSync } from "node:fs";
import { freemem, tmpdir } from "node:os";
import { join } from "node:path";
import type { Recipe } from "../recipes/schema.ts";
import { estimateMemory } from "../session/session.ts";
import type { SourceOptions } from "../session/sources.ts";

/** What `viva doctor --recipe FILE --json` prints; memory in 10⁹ bytes. */
export interface RecipeDoctor {
  readonly recipe: string;
  readonly model: string;
  /** The stage that needs most, for example "stages.1 (grpo)". */
  readonly stage: string;
  readonly largest_step: {
    readonly prompts: number;
    /** Of the longest prompt, and those of them that stand for images. */
    readonly prompt_tokens: number;
    readonly image_tokens: number;
    readonly num_generations: number;
    readonly completion_tokens: number;
  };
  readonly parts_gb: Readonly<Record<string, number>>;
  readonly total_gb: number;
  /** What the machine has, or the container allows; and what no program uses now. */
  readonly available_gb: number;
  readonly free_gb: number;
  readonly fits: boolean;
  /** Where it does not fit: changes of the recipe that would bring it down, each alone, the most first. */
  readonly changes: readonly { readonly change: string; readonly total_gb: number; readonly fits: boolean }[];
  /** With all of these at once; null without any. */
  readonly together_gb: number | null;
}

/** Looks over the recipe and its data as `viva train` does before its first step. UserError as there, memory aside. */
export async function examineRecipe(recipe: Recipe, o: SourceOptions = {}): Promise<RecipeDoctor> {
  const folder = mkdtempSync(join(tmpdir(), "viva-doctor-")); // where a judge's replies would go
  try {
    const { stage, step, plan, available, fits, changes, together } = await estimateMemory(recipe, folder, o);
    const parts = Object.entries(plan.parts).map(([part, bytes]) => [part, bytes / 1e9] as const);
    return {
      recipe: recipe.name,
      model: recipe.model.path,
      stage,
      largest_step: {
        prompts: step.prompts,
        prompt_tokens: step.promptTokens,
        image_tokens: step.imageTokens,
        num_generations: step.numGenerations,
        completion_tokens: step.completionTokens,
      },
      parts_gb: Object.fromEntries(parts),
      total_gb: plan.total / 1e9,
      available_gb: available / 1e9,
      free_gb: freemem() / 1e9,
      fits,
      changes: changes.map(({ change, total }) => ({ change, total_gb: total / 1e9, fits: total <= available })),
      together_gb: together === null ? null : together / 1e9,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
