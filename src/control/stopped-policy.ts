/** A policy whose thoughts end early, over one that decodes for callers that come and go. */
import { asReady } from "../core/as-ready.ts";
import { UserError } from "../core/errors.ts";
import type { Completion, RolloutResult } from "../core/records.ts";
import type { LiveToken, Policy, TrainingEngine } from "../engine/engine.ts";
import { stoppedDecode } from "./stop.ts";
import type { StopOptions, ThoughtProcessor } from "./trial.ts";

/** Completions decoded at the same time; few enough that a trial finds a row at once. */
const ROWS = 16;

/**
 * Samples as the engine's policy does, with thoughts that end early; for measuring and serving, not for training, since the
 * answer behind an ended thought is no sample. Throws UserError for an engine that samples whole batches only.
 */
export function stoppedPolicy(
  engine: Pick<TrainingEngine, "decode" | "policy" | "updates">,
  processor: ThoughtProcessor,
  o: StopOptions,
): Pick<Policy, "sample"> {
  const decode = stoppedDecode(requireDecode(engine, processor), o);
  return {
    sample(prompts, sampling) {
      const { numGenerations, topK } = sampling;
      if (topK > 0) throw new UserError("stop: thoughts cannot be ended early with top_k: set it to 0");
      const one = async (index: number): Promise<RolloutResult> => {
        const { tokens, endOf } = decode(prompts[index]!, { ...sampling, index });
        const drawn = Array.from({ length: numGenerations }, (): LiveToken[] => []);
        for await (const token of tokens) drawn[token.completion]!.push(token);
        const completions = drawn.map((own, i): Completion => {
          const tokenIds = Int32Array.from(own, ({ tokenId }) => tokenId);
          return {
            tokenIds,
            logProbs: Float32Array.from(own, ({ logProb }) => logProb),
            text: processor.decode(tokenIds),
            finishReason: own.at(-1)!.finishReason!,
            policyVersion: engine.updates,
            thought: endOf(i),
          };
        });
        return { index, completions };
      };
      return asReady(prompts.length, Math.max(1, Math.floor(ROWS / numGenerations)), one);
    },
  };
}

/** What is needed of an engine to end its thoughts. */
export function requireDecode(
  { decode, policy }: Pick<TrainingEngine, "decode" | "policy">,
  processor: ThoughtProcessor,
) {
  if (decode !== undefined) return { decode, policy, processor };
  throw new UserError(
    "stop: this engine answers whole batches alone, so its thoughts cannot be ended early: use engine local",
  );
}
