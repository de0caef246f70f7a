/** A policy that says again what was recorded: with the same environment it makes the same trajectories. */
import type { Completion, Prompt, RolloutResult, SamplingOptions } from "../core/records.ts";
import type { Policy } from "../engine/engine.ts";

/** What a record holds of a completion. */
export type RecordedCompletion = Pick<
  Completion,
  "tokenIds" | "logProbs" | "segments" | "turns" | "finishReason" | "policyVersion"
>;

/** By example, then by completion. Where the environment makes it go on beyond the record, the turn is empty. */
export function recordedPolicy(groups: readonly (readonly RecordedCompletion[])[]): Pick<Policy, "sample"> {
  return {
    async *sample(prompts: readonly Prompt[], o: SamplingOptions): AsyncGenerator<RolloutResult> {
      for (const index of prompts.keys()) {
        const [example, completion, turn] = o.each?.[index]?.draws ?? [index, null, 0];
        const own = groups[example!]!;
        const asked = completion == null ? own : [own[completion]!];
        yield { index, completions: asked.map((recorded) => turnOf(recorded, turn!)) };
      }
    },
  };
}

function turnOf(
  { tokenIds, logProbs, segments = [], turns = [], ...own }: RecordedCompletion,
  turn: number,
): Completion {
  const at = 2 * turn; // an observation stands between two turns
  const from = segments.slice(0, at).reduce((sum, { tokens }) => sum + tokens, 0);
  const to = from + (segments[at]?.tokens ?? 0);
  const isLast = turn === turns.length - 1;
  return {
    ...own,
    tokenIds: tokenIds.slice(from, to),
    logProbs: logProbs.slice(from, to),
    text: turns[turn]?.text ?? "",
    finishReason: isLast ? own.finishReason : "stop",
  };
}
