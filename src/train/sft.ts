/** Supervised fine-tuning, one step: the mean negative log-prob of the batch's target tokens. */
import { encodeQuestion, opensThought, targetText } from "../answers/prompts.ts";
import { meanMetric } from "../core/mean.ts";
import type { Metrics } from "../runs/metrics.ts";
import { adversarialPass } from "./adversarial.ts";
import { batchAt, encodeExamples } from "./batches.ts";
import { type StepPosition, type TrainingContext, timed } from "./context.ts";
import { optimiserAt, type SftSettings } from "./settings.ts";
import { supervisedBatch } from "./supervised-batch.ts";

/** One optimiser step on the batch that this position names. */
export async function sftStep(
  context: TrainingContext,
  settings: SftSettings,
  { index }: StepPosition,
): Promise<{ readonly metrics: Metrics; readonly examples: readonly string[] }> {
  const { engine, processor, prompt } = context;
  const started = performance.now();
  const examples = batchAt(context.examples, { ...context, step: index, count: settings.batch_size });
  const encode = (example: (typeof examples)[number]) => encodeQuestion(processor, example, prompt);
  const encoded = await encodeExamples(examples, encode, context.onBadImage, context.onSkip);
  const targets = encoded.map((item) =>
    processor.encodeCompletion(targetText(item.example, prompt.style, settings.target, opensThought(item.prompt.text))),
  );
  const tokens = targets.reduce((total, target) => total + target.length, 0);
  const batch = supervisedBatch(
    encoded.map((item, i) => ({
      prompt: item.prompt,
      completions: [{ tokenIds: targets[i]!, weight: 1 / tokens, advantage: 0 }],
    })),
  );
  const optimiser = optimiserAt(settings, index, context.steps);
  const { value, seconds } = await timed(async () => {
    const forward = await engine.forwardBackward(batch);
    const { adversarial } = settings;
    const attacked = adversarial === null ? null : await adversarialPass(context, batch, adversarial);
    const loss = forward.loss + (attacked === null ? 0 : adversarial!.lambda * attacked);
    return { forward, attacked, loss, ...(await engine.optimStep(optimiser)) };
  });
  const metrics = {
    loss: value.loss,
    ...(value.attacked === null
      ? {}
      : { "adversarial/clean_loss": value.forward.loss, "adversarial/loss": value.attacked }),
    ...meanMetric(
      "policy/entropy",
      value.forward.entropies.flatMap((entropies) => [...entropies]),
    ),
    ...meanMetric(
      "completion/length_mean",
      targets.map(({ length }) => length),
    ),
    "optim/grad_norm": value.gradNorm,
    "optim/learning_rate": optimiser.learningRate,
    "time/train_s": seconds,
    "time/step_s": (performance.now() - started) / 1000,
    "throughput/tokens_per_second": tokens / seconds,
  };
  return { metrics, examples: encoded.map(({ example }) => example.id) };
}
