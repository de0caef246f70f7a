/** Completions with tools whose turns are given, for supervised training: their calls are run, their tokens made of text. */

import type { Processor } from "../core/processor.ts";
import type { Completion, Prompt, RolloutResult, SamplingOptions } from "../core/records.ts";
import type { Policy } from "../engine/engine.ts";
import { CALL_CLOSE } from "./parse-call.ts";
import { type AskedExample, sampleTrajectories, type TrajectoryOptions } from "./trajectories.ts";

/** One completion per example, of the turns given for it. A turn that no observation calls for is left out. */
export async function demonstrate(
  asked: readonly AskedExample[],
  turns: readonly (readonly string[])[],
  tools: TrajectoryOptions & { readonly processor: Pick<Processor, "encodeCompletion"> },
): Promise<readonly Completion[]> {
  const policy = saying(turns, (text) => tools.processor.encodeCompletion(text));
  const o: SamplingOptions = {
    ...{ numGenerations: 1, maxCompletionLength: Infinity, temperature: 0, topP: 1, topK: 0, seed: 0, step: 0 },
  };
  const groups = await sampleTrajectories(policy, asked, o, { ...tools, turnLength: Infinity });
  return groups.map(([completion]) => completion!);
}

/** A call ends its turn by itself, without the token that ends other turns. */
function saying(turns: readonly (readonly string[])[], encode: (text: string) => Int32Array): Pick<Policy, "sample"> {
  return {
    async *sample(prompts: readonly Prompt[], o: SamplingOptions): AsyncGenerator<RolloutResult> {
      for (const index of prompts.keys()) {
        const [example, , turn] = o.each?.[index]?.draws ?? [index, 0, 0];
        const text = turns[example!]![turn!] ?? "";
        const ids = encode(text);
        const tokenIds = text.endsWith(CALL_CLOSE) ? ids.slice(0, -1) : ids;
        const logProbs = new Float32Array(tokenIds.length);
        yield { index, completions: [{ tokenIds, logProbs, text, finishReason: "stop", policyVersion: 0 }] };
      }
    },
  };
}
