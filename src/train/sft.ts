/** Supervised fine-tuning, one step: the mean negative log-prob of the batch's target tokens. */

import { plainVariant } from "../algorithms/algorithm.ts";
import { defaultLossNumbers } from "../algorithms/index.ts";
import { encodeQuestion, opensThought, targetText, targetTurns } from "../answers/prompts.ts";
import { meanMetric } from "../core/mean.ts";
import type { Completion } from "../core/records.ts";
import { policyLength, policyMask } from "../core/segments.ts";
import { plainScoring, type TokenBatch, type TrainingCompletion } from "../engine/engine.ts";
import type { Metrics } from "../runs/metrics.ts";
import { demonstrate } from "../tools/demonstrate.ts";
import { batchAt, type EncodedExample, encodeExamples } from "./batches.ts";
import { type StepPosition, type TrainingContext, timed } from "./context.ts";
import { optimiserAt, type SftSettings } from "./settings.ts";

/** One optimiser step on the batch that this position names. */
export async function sftStep(
  context: TrainingContext,
  settings: SftSettings,
  { index }: StepPosition,
): Promise<{ readonly metrics: Metrics; readonly examples: readonly string[] }> {
  const { engine, processor } = context;
  const prompt = context.tools?.prompt ?? context.prompt;
  const started = performance.now();
  const examples = batchAt(context.examples, { ...context, step: index, count: settings.batch_size });
  const encode = (example: (typeof examples)[number]) => encodeQuestion(processor, example, prompt);
  const encoded = await encodeExamples(examples, encode, context.onBadImage, context.onSkip);
  const targets = await targetsOf(context, settings, encoded);
  const lengths = targets.map(policyLength);
  const tokens = lengths.reduce((total, length) => total + length, 0);
  const batch: TokenBatch = {
    groups: encoded.map((item, i) => ({
      prompt: item.prompt,
      completions: [weighed(targets[i]!, 1 / tokens)],
    })),
    scoring: plainScoring,
    loss: {
      name: "supervised",
      variant: plainVariant,
      numbers: defaultLossNumbers,
    },
  };
  const optimiser = optimiserAt(settings, index, context.steps);
  const { value, seconds } = await timed(async () => {
    const forward = await engine.forwardBackward(batch);
    return { forward, ...(await engine.optimStep(optimiser)) };
  });
  const metrics = {
    loss: value.forward.loss,
    ...meanMetric(
      "policy/entropy",
      value.forward.entropies.flatMap((entropies) => [...entropies]),
    ),
    ...meanMetric("completion/length_mean", lengths),
    "optim/grad_norm": value.gradNorm,
    "optim/learning_rate": optimiser.learningRate,
    "time/train_s": seconds,
    "time/step_s": (performance.now() - started) / 1000,
    "throughput/tokens_per_second": tokens / seconds,
  };
  return { metrics, examples: encoded.map(({ example }) => example.id) };
}

type Target = Pick<Completion, "tokenIds" | "segments" | "images">;

/** What is taught; with tools, the calls of a rationale are run, and what they give is read. */
async function targetsOf(
  { processor, prompt: { style }, tools = null }: TrainingContext,
  { target }: SftSettings,
  encoded: readonly EncodedExample[],
): Promise<readonly Target[]> {
  const opened = (item: EncodedExample) => opensThought(item.prompt.text);
  if (tools !== null) {
    const turns = encoded.map((item) => targetTurns(item.example, style, target, opened(item)));
    return demonstrate(encoded, turns, { ...tools, processor });
  }
  return encoded.map((item) => {
    return { tokenIds: processor.encodeCompletion(targetText(item.example, style, target, opened(item))) };
  });
}

function weighed({ tokenIds, segments, images = [] }: Target, weight: number): TrainingCompletion {
  if (segments === undefined) return { tokenIds, weight, advantage: 0 };
  const mask = policyMask(segments);
  return { tokenIds, mask, images, weight: Float32Array.from(mask, (counts) => weight * counts), advantage: 0 };
}
