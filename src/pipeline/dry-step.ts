/** The longest sample forward and backward once, before the first step: a run that lacks memory fails at once, not at night. */

import { plainVariant } from "../algorithms/algorithm.ts";
import { defaultLossNumbers } from "../algorithms/index.ts";
import { encodeQuestion } from "../answers/prompts.ts";
import { plainScoring } from "../engine/engine.ts";
import type { Recipe } from "../recipes/schema.ts";
import { trainingShots } from "../session/recipe-shots.ts";
import { longestStep } from "../session/run-memory.ts";
import type { Session } from "../session/session.ts";

/** From so many steps on one more micro-batch costs next to nothing. */
const CHEAP_FROM_STEPS = 20;

/** Of itself only where the run takes memory of this machine. */
export function dryStepWanted({ engine: { dry_step } }: Recipe, { memory }: Session, steps: number): boolean {
  return dry_step === "auto" ? memory !== null && steps >= CHEAP_FROM_STEPS : dry_step;
}

/**
 * Runs one micro-batch of the longest prompt with completions as long as any stage makes them. The gradient that it leaves
 * must be dropped: a stage's start and a checkpoint's restoring both do that.
 */
export async function dryStep({ train, preflight, engine, processor, prompt }: Session, recipe: Recipe): Promise<void> {
  const [report] = preflight;
  const example = train.find(({ id }) => id === report!.longest.example_id)!;
  const encoded = await encodeQuestion(processor, example, prompt, trainingShots(recipe, train).shots?.(example));
  const { numGenerations, completionTokens, prompts } = longestStep(recipe, report!);
  const room = Math.max(1, engine.contextLength - encoded.tokenIds.length);
  // Any tokens do; the prompt's own are of the vocabulary.
  const tokenIds = new Int32Array(Math.min(completionTokens, room)).fill(processor.stopTokenIds[0]!);
  const completions = Array.from({ length: numGenerations }, () => ({ tokenIds, weight: 0, advantage: 0 }));
  const tokens = encoded.tokenIds.length + numGenerations * tokenIds.length;
  const groups = Math.min(prompts, Math.max(1, Math.floor(recipe.engine.micro_batch_tokens / tokens)));
  await engine.forwardBackward({
    groups: Array.from({ length: groups }, () => ({ prompt: encoded, completions })),
    scoring: plainScoring,
    loss: { name: "supervised", variant: plainVariant, numbers: defaultLossNumbers },
  });
}
