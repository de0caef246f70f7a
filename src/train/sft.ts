/** Supervised fine-tuning, one step: the mean negative log-prob of the batch's target tokens. */
import { encodeQuestion, opensThought, type Shots, type Target, targetText, targetTurns } from "../answers/prompts.ts";
import type { AnswerStyle } from "../answers/tags.ts";
import { meanMetric } from "../core/mean.ts";
import type { Processor } from "../core/processor.ts";
import type { Completion, Example } from "../core/records.ts";
import { policyLength, policyMask, policyValues } from "../core/segments.ts";
import { inContextExamples } from "../data/in-context.ts";
import type { TokenBatch, TrainingCompletion } from "../engine/engine.ts";
import { deviceMetrics } from "../engine/optim-step.ts";
import type { Metrics } from "../runs/metrics.ts";
import { demonstrate } from "../tools/demonstrate.ts";
import type { OpenedTools } from "../tools/trajectories.ts";
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
  const { engine, processor } = context;
  const prompt = context.tools?.prompt ?? context.prompt;
  const started = performance.now();
  const examples = batchAt(context.examples, { ...context, step: index, count: settings.batch_size });
  const encode = (example: Example) => encodeQuestion(processor, example, prompt, shotsOf(context, settings, example));
  const encoded = await encodeExamples(examples, encode, context.onBadImage, context.onSkip);
  const { target } = settings;
  const { batch, targets, tokens } = await supervisedBatch(encoded, target, {
    ...{ processor, style: prompt.style, tools: context.tools ?? null },
  });
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
      value.forward.entropies.flatMap((entropies, i) => [...policyValues(entropies, targets[i]!.segments)]),
    ),
    ...meanMetric("completion/length_mean", targets.map(policyLength)),
    "optim/grad_norm": value.gradNorm,
    ...deviceMetrics([value]),
    "optim/learning_rate": optimiser.learningRate,
    "time/train_s": seconds,
    "time/step_s": (performance.now() - started) / 1000,
    "throughput/tokens_per_second": tokens / seconds,
  };
  return { metrics, examples: encoded.map(({ example }) => example.id) };
}

type Taught = Pick<Completion, "tokenIds" | "segments" | "images">;

/**
 * A batch whose loss is the mean negative log-prob of its examples' targets. With tools, the calls of a rationale are run,
 * and what they give is read, not learned.
 */
export async function supervisedBatch(
  encoded: readonly EncodedExample[],
  target: Target,
  o: { readonly processor: Processor; readonly style: AnswerStyle; readonly tools?: OpenedTools | null },
): Promise<{ readonly batch: TokenBatch; readonly targets: readonly Taught[]; readonly tokens: number }> {
  const targets = await targetsOf(encoded, target, o);
  const tokens = targets.reduce((total, taught) => total + policyLength(taught), 0);
  const groups = encoded.map(({ prompt }, i) => ({ prompt, completions: [weighed(targets[i]!, 1 / tokens)] }));
  return { batch: likelihoodBatch(groups), targets, tokens };
}

async function targetsOf(
  encoded: readonly EncodedExample[],
  target: Target,
  { processor, style, tools = null }: Parameters<typeof supervisedBatch>[2],
): Promise<readonly Taught[]> {
  const opened = (item: EncodedExample) => opensThought(item.prompt.text);
  if (tools !== null) {
    const turns = encoded.map((item) => targetTurns(item.example, style, target, opened(item)));
    return demonstrate(encoded, turns, { ...tools, processor });
  }
  return encoded.map((item) => {
    return { tokenIds: processor.encodeCompletion(targetText(item.example, style, target, opened(item))) };
  });
}

function weighed({ tokenIds, segments, images = [] }: Taught, weight: number): TrainingCompletion {
  if (segments === undefined) return { tokenIds, weight, advantage: 0 };
  const mask = policyMask(segments);
  return { tokenIds, mask, images, weight: Float32Array.from(mask, (counts) => weight * counts), advantage: 0 };
}

/** The solved examples before a question: the same for it in every epoch. */
export function shotsOf(
  { examples, seed }: Pick<TrainingContext, "examples" | "seed">,
  { in_context_examples: count, in_context_fixed: fixed, target }: SftSettings,
  question: Example,
): Shots {
  return { examples: inContextExamples(examples, { count, fixed, seed })(question), target };
}
