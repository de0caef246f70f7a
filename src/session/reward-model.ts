/** Opens a reward model for the reward that asks it: questions are put as its own run put them. */
import { encodeQuestion } from "../answers/prompts.ts";
import { UserError } from "../core/errors.ts";
import type { Processor } from "../core/processor.ts";
import { sizeOf } from "../core/tensor-data.ts";
import { openModel } from "../models/index.ts";
import type { CompletionScorer } from "../rewards/index.ts";
import { openCheckpoint } from "./checkpoint.ts";

export interface OpenedScorer extends CompletionScorer {
  /** Of its weights in memory. */
  readonly bytes: number;
  close(): Promise<void>;
}

/** UserError for a path without a model, and for a model without a score head. */
export async function openScorer(path: string, threads: number): Promise<OpenedScorer> {
  const { engine, processor, prompt, folder, base } = await openCheckpoint(path, { engine: "local", threads });
  const { scoreHead } = engine;
  if (scoreHead === undefined) {
    await engine.close();
    throw new UserError(`reward "reward_model": ${path} has no score head: a stage of kind reward_model trains one`);
  }
  return {
    folder,
    bytes: Object.values(openModel(base).weights).reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0),
    async score(example, completions) {
      const turns = completions.map(({ text }) => turnOf(processor, text));
      const known = turns.filter((turn) => turn !== null);
      const encoded = await encodeQuestion(processor, example, prompt);
      const scores = [...(await scoreHead.scores([{ prompt: encoded, completions: known }]))];
      return turns.map((turn) => (turn === null ? null : scores.shift()!));
    },
    close: () => engine.close(),
  };
}

/** A whole assistant turn; null for a text that spells a special token, which no turn can hold. */
function turnOf(processor: Processor, text: string): Int32Array | null {
  try {
    return processor.encodeCompletion(text);
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}
