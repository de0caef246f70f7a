/** Supervised fine-tuning, one step: the mean negative log-prob of the batch's target tokens. */
import { encodeQuestion, opensThought, type Shots, type Target, targetText } from "../answers/prompts.ts";
import type { AnswerStyle } from "../answers/tags.ts";
import { meanMetric } from "../core/mean.ts";
import type { Processor } from "../core/processor.ts";
import type { Example } from "../core/records.ts";
import { inContextExamples } from "../data/in-context.ts";
import type { TokenBatch } from "../engine/engine.ts";
import type { Metrics } from "../runs/metrics.ts";
import { adversarialPass } from "./adversarial.ts";
import { batchAt, type EncodedExample, encodeExamples } from "./batches.ts";
import { type StepPosition, type TrainingContext, timed } from "./context.ts";
import { likelihoodBatch } from "./likelihood-batch.ts";
import { optimiserAt, type SftSettings } from "./settings.ts";

/** One optimiser step on the batch that this position names. */
export async function sftStep(
  context: TrainingContext,
  settings: SftSettings,
  { index }: StepPosition,
): Promise<{ readonly metrics: Metrics; readonly examples: readonly string[] }> {
  const { engine, processor, prompt } = context;
  const started = performance.now();
  const examples = batchAt(context.examples, { ...context, step: index, count: settings.batch_size });
  const encode = (example: Example) => encodeQuestion(processor, example, prompt, shotsOf(context, settings, example));
  const encoded = await encodeExamples(examples, encode, context.onBadImage, context.onSkip);
  const { batch, targets, tokens } = supervisedBatch(encoded, settings.target, { processor, style: prompt.style });
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

/** A batch whose loss is the mean negative log-prob of its examples' targets. */
export function supervisedBatch(
  encoded: readonly EncodedExample[],
  target: Target,
  { processor, style }: { readonly processor: Processor; readonly style: AnswerStyle },
): { readonly batch: TokenBatch; readonly targets: readonly Int32Array[]; readonly tokens: number } {
  const targets = encoded.map(({ example, prompt }) =>
    processor.encodeCompletion(targetText(example, style, target, opensThought(prompt.text))),
  );
  const tokens = targets.reduce((total, { length }) => total + length, 0);
  const groups = encoded.map(({ prompt }, i) => {
    return { prompt, completions: [{ tokenIds: targets[i]!, weight: 1 / tokens, advantage: 0 }] };
  });
  return { batch: likelihoodBatch(groups), targets, tokens };
}

/** The solved examples before a question: the same for it in every epoch. */
export function shotsOf(
  { examples, seed }: Pick<TrainingContext, "examples" | "seed">,
  { in_context_examples: count, in_context_fixed: fixed, target }: SftSettings,
  question: Example,
): Shots {
  return { examples: inContextExamples(examples, { count, fixed, seed })(question), target };
}
