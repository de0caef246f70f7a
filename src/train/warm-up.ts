/**
 * Self-supervised warm-up of the vision tower, one step: two views of an image are to agree more than views of different
 * ones; with `meta`, a head that is fitted to labelled images is to do well on others too (arXiv 2312.14204). What is trained
 * beside the tower is thrown away at the end of the stage.
 */
import { UserError } from "../core/errors.ts";
import { permutation, randomKey } from "../core/random.ts";
import type { Example, ImageFeatures, Prompt } from "../core/records.ts";
import { float32 } from "../core/tensor-data.ts";
import type { Metrics } from "../runs/metrics.ts";
import { batchAt, encodeExamples } from "./batches.ts";
import { type StepPosition, type TrainingContext, timed } from "./context.ts";
import { adaptHead, headLoss } from "./meta-transfer.ts";
import { contrastiveDefaults, optimiserAt, type WarmUpSettings } from "./settings.ts";
import { meanFeatures, meanGradient } from "./tower-features.ts";
import { viewOf } from "./views.ts";

/** One optimiser step on the images that this position names. */
export async function warmUpStep(
  context: TrainingContext,
  settings: WarmUpSettings,
  images: readonly Example[],
  { index }: StepPosition,
): Promise<{ readonly metrics: Metrics; readonly examples: readonly string[] }> {
  const { engine } = context;
  const { tower, attach } = engine;
  if (tower === undefined || attach === undefined)
    throw new UserError("warm_up needs a model that is computed on this machine");
  const started = performance.now();
  const examples = batchAt(images, { ...context, step: index, count: settings.batch_size });
  const encoded = await encodeImages(context, examples);
  const views = [0, 1].flatMap((view) =>
    encoded.map((one, i) => viewed(context, settings, one.image, [index, i, view])),
  );
  const { meta } = settings;
  const target = meta === null || index < meta.after ? null : await targetBatch(context, meta, index);
  const optimiser = optimiserAt(settings, index, context.steps);
  const projection = settings.projection === 0 ? tower.width : settings.projection;
  const head = await attach("projection_head", { width: tower.width, projection });
  const { value, seconds } = await timed(async () => {
    const detached =
      target === null
        ? []
        : await tower.encode(
            target.train.map(({ image }) => image),
            { training: false },
          );
    const all = [...views, ...(target?.validation ?? []).map(({ image }) => image)];
    const features = await tower.encode(all, { training: true });
    const means = features.map((own) => meanFeatures(own, tower.width));
    const contrast = await contrastive(head, settings, means.slice(0, views.length));
    const transfer =
      target === null
        ? null
        : transferOf(
            detached.map((own) => meanFeatures(own, tower.width)),
            means.slice(views.length),
            target,
            meta!,
          );
    const alpha = meta?.alpha ?? contrastiveDefaults[settings.loss].alpha;
    const byMean = [...contrast.gradients, ...(transfer?.gradients ?? []).map((row) => row.map((v) => alpha * v))];
    await tower.backward(
      byMean.map((gradient, i) => meanGradient(Float32Array.from(gradient), features[i]!.length / tower.width)),
    );
    if (settings.projection > 0) head.step(optimiser);
    const { gradNorm } = await engine.optimStep(optimiser);
    return { loss: contrast.loss + alpha * (transfer?.loss ?? 0), contrast, transfer, gradNorm };
  });
  const metrics = {
    loss: value.loss,
    "warm_up/contrastive": value.contrast.loss,
    ...(value.transfer === null ? {} : { "warm_up/transfer": value.transfer.loss }),
    "optim/grad_norm": value.gradNorm,
    "optim/learning_rate": optimiser.learningRate,
    "time/train_s": seconds,
    "time/step_s": (performance.now() - started) / 1000,
  };
  return { metrics, examples: encoded.map(({ example }) => example.id) };
}

interface Encoded {
  readonly example: Example;
  readonly image: ImageFeatures;
}

async function encodeImages(context: TrainingContext, examples: readonly Example[]): Promise<readonly Encoded[]> {
  const encode = async ({ images }: Example): Promise<Prompt> => {
    if (images.length === 0) throw new UserError("there is no image to warm up on");
    return { text: "", tokenIds: new Int32Array(0), images: [(await context.processor.encodeImage(images[0]!)).image] };
  };
  const encoded = await encodeExamples(examples, encode, context.onBadImage, context.onSkip);
  return encoded.map(({ example, prompt }) => ({ example, image: prompt.images[0]! }));
}

function viewed(
  { processor, seed, stage }: TrainingContext,
  settings: WarmUpSettings,
  image: ImageFeatures,
  at: readonly number[],
) {
  if (processor.pixelLayout === undefined)
    throw new UserError("warm_up: a model of this family cuts an image into frames");
  const key = randomKey(seed, "view", stage, ...at);
  return viewOf(image, processor.pixelLayout(image.grid), settings, key, `view${at.join(".")}`);
}

/** The loss of views [first of each, then second of each] and its gradients; accumulates the head's own. */
async function contrastive(
  head: Awaited<ReturnType<NonNullable<TrainingContext["engine"]["attach"]>>>,
  { loss: kind, tau, projection }: WarmUpSettings,
  means: readonly Float32Array[],
) {
  const rows = matrixOf(means);
  const y = projection === 0 ? rows : await head.forward(rows);
  const [count, width] = [means.length / 2, y.shape[1]!];
  const half = (v: number) =>
    float32([count, width], (y.data as Float32Array).slice(v * count * width, (v + 1) * count * width));
  const eye = float32(
    [count, count],
    Float32Array.from({ length: count * count }, (_, i) => (i % (count + 1) === 0 ? 1 : 0)),
  );
  const temperature = float32([], [tau ?? contrastiveDefaults[kind].tau]);
  const found = await head.loss(kind, { a: half(0), b: half(1), eye, tau: temperature });
  const dy = new Float32Array(y.data.length);
  dy.set(found.gradients["a"]!);
  dy.set(found.gradients["b"]!, count * width);
  const dx = projection === 0 ? dy : ((await head.backward(rows, float32(y.shape, dy))).data as Float32Array);
  const inner = means[0]!.length;
  return { loss: found.loss, gradients: means.map((_, i) => dx.slice(i * inner, (i + 1) * inner)) };
}

interface TargetBatch {
  readonly train: readonly Encoded[];
  readonly validation: readonly Encoded[];
  readonly positive: string;
}

/** Labelled images of the training data in two halves, drawn anew every step. */
async function targetBatch(
  context: TrainingContext,
  { batch_size }: NonNullable<WarmUpSettings["meta"]>,
  index: number,
): Promise<TargetBatch> {
  const answers = [...new Set(context.examples.map(({ answer }) => answer))].sort();
  if (answers.length !== 2) {
    throw new UserError(
      `warm_up.meta needs two answers among data.train, such as yes and no; there are ${answers.length}`,
    );
  }
  const order = permutation(randomKey(context.seed, "meta", context.stage, index), context.examples.length);
  const chosen = Array.from(order.slice(0, 2 * batch_size), (i) => context.examples[i]!);
  const half = Math.floor(chosen.length / 2);
  const encoded = await encodeImages(context, chosen);
  return { train: encoded.slice(0, half), validation: encoded.slice(half), positive: answers[1]! };
}

function transferOf(
  train: readonly Float32Array[],
  validation: readonly Float32Array[],
  target: TargetBatch,
  { inner_steps, inner_learning_rate }: NonNullable<WarmUpSettings["meta"]>,
) {
  const labelsOf = (items: readonly Encoded[]) =>
    items.map(({ example }) => (example.answer === target.positive ? 1 : 0));
  const start = new Array<number>(train[0]!.length).fill(0);
  const head = adaptHead(train, labelsOf(target.train), start, { steps: inner_steps, rate: inner_learning_rate });
  return headLoss(head, validation, labelsOf(target.validation));
}

function matrixOf(rows: readonly Float32Array[]) {
  return float32([rows.length, rows[0]!.length], Float32Array.from(rows.flatMap((row) => Array.from(row))));
}
