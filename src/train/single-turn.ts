/** Rollouts of one turn: each example is a prompt, its completions are sampled at once and scored. */
import { encodeQuestion } from "../answers/prompts.ts";
import type { Completion, Example, SamplingOptions } from "../core/records.ts";
import { scoreGroup } from "../rewards/index.ts";
import { encodeExamples } from "./batches.ts";
import type { CollectRollouts } from "./collect.ts";
import { type TrainingContext, timed } from "./context.ts";

type SingleTurnContext = Pick<TrainingContext, "engine" | "processor" | "prompt" | "onBadImage" | "onSkip">;

export function singleTurn(context: SingleTurnContext): CollectRollouts {
  return async (examples, { sampling, rewards, log }) => {
    const sampled = await timed(() => complete(context, examples, sampling));
    const scored = await timed(() =>
      Promise.all(sampled.value.map((item) => scoreGroup(rewards, item.example, item.completions, log.of))),
    );
    return {
      samples: sampled.value.map((item, i) => ({ ...item, ...scored.value[i]! })),
      seconds: { sample: sampled.seconds, reward: scored.seconds },
    };
  };
}

async function complete(context: SingleTurnContext, examples: readonly Example[], o: SamplingOptions) {
  const { engine, processor, prompt } = context;
  const encode = (example: Example) => encodeQuestion(processor, example, prompt);
  const encoded = await encodeExamples(examples, encode, context.onBadImage, context.onSkip);
  const completions = new Map<number, readonly Completion[]>();
  const prompts = encoded.map((item) => item.prompt);
  for await (const result of engine.policy.sample(prompts, o)) completions.set(result.index, result.completions);
  return encoded.map((item, i) => ({ ...item, completions: completions.get(i)! }));
}
