/** Rollouts: each example is a prompt; its completions are sampled, at once or turn by turn with tools, and scored. */
import { encodeQuestion } from "../answers/prompts.ts";
import type { Completion, Example, SamplingOptions } from "../core/records.ts";
import { scoreGroup } from "../rewards/index.ts";
import { type OpenedTools, sampleTrajectories } from "../tools/trajectories.ts";
import { type EncodedExample, encodeExamples } from "./batches.ts";
import type { CollectRollouts } from "./collect.ts";
import { type TrainingContext, timed } from "./context.ts";

type RolloutContext = Pick<TrainingContext, "engine" | "processor" | "prompt" | "onBadImage" | "onSkip">;

/** Completions of one turn; with `tools`, of as many as their environment allows. */
export function collectWith(context: RolloutContext, tools: OpenedTools | null): CollectRollouts {
  return async (examples, { sampling, rewards, log }) => {
    const sampled = await timed(() => complete(context, tools, examples, sampling));
    const scored = await timed(() =>
      Promise.all(sampled.value.map((item) => scoreGroup(rewards, item.example, item.completions, log.of))),
    );
    return {
      samples: sampled.value.map((item, i) => ({ ...item, ...scored.value[i]! })),
      seconds: { sample: sampled.seconds, reward: scored.seconds },
    };
  };
}

async function complete(
  context: RolloutContext,
  tools: OpenedTools | null,
  examples: readonly Example[],
  o: SamplingOptions,
) {
  const { processor, onBadImage, onSkip } = context;
  const prompt = tools?.prompt ?? context.prompt;
  const encode = (example: Example) => encodeQuestion(processor, example, prompt);
  const encoded = await encodeExamples(examples, encode, onBadImage, onSkip);
  const completions = await sample(context, tools, encoded, o);
  return encoded.map((item, i) => ({ ...item, completions: completions[i]! }));
}

async function sample(
  { engine, processor }: RolloutContext,
  tools: OpenedTools | null,
  encoded: readonly EncodedExample[],
  o: SamplingOptions,
): Promise<readonly (readonly Completion[])[]> {
  if (tools !== null) return sampleTrajectories(engine.policy, encoded, o, { ...tools, processor });
  const completions = new Array<readonly Completion[]>(encoded.length);
  const prompts = encoded.map(({ prompt }) => prompt);
  for await (const result of engine.policy.sample(prompts, o)) completions[result.index] = result.completions;
  return completions;
}
