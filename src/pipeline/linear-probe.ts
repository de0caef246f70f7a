/** The control of whatever is trained on a frozen vision tower: logistic regression on its mean output. */
import type { ImageFeatures } from "../core/records.ts";
import type { TrainingEngine } from "../engine/engine.ts";
import { denseFeatures } from "../evaluate/conventional/features.ts";
import { subjectFolds } from "../evaluate/conventional/folds.ts";
import { zScores } from "../evaluate/conventional/standardise.ts";
import { conventionalModels } from "../evaluate/index.ts";
import type { Reprogrammed } from "../train/reprogram.ts";
import { meanFeatures } from "../train/tower-features.ts";

/** Images encoded in one call. */
const CHUNK = 32;

/** Probabilities of the classes, [test][classes]; the penalty is chosen by folds of training subjects. */
export async function linearProbe(
  engine: TrainingEngine,
  train: readonly Reprogrammed[],
  test: readonly Reprogrammed[],
  classes: number,
): Promise<readonly Float64Array[]> {
  const rows = await meansOf(engine, imagesOf(train));
  const scaled = zScores(rows);
  const classifier = conventionalModels.lr.classify({
    features: denseFeatures(rows.map(scaled)),
    targets: Int32Array.from(train, ({ target }) => target),
    classes,
    folds: subjectFolds(
      train.map(({ example }) => example.subjectId),
      5,
      0,
    ),
  });
  const found = classifier(denseFeatures((await meansOf(engine, imagesOf(test))).map(scaled)));
  return test.map((_, i) => found.slice(i * classes, (i + 1) * classes));
}

const imagesOf = (items: readonly Reprogrammed[]) => items.map(({ prompt }) => prompt.images[0]!);

async function meansOf(engine: TrainingEngine, images: readonly ImageFeatures[]): Promise<Float32Array[]> {
  const means: Float32Array[] = [];
  for (let start = 0; start < images.length; start += CHUNK) {
    const features = await engine.tower!.encode(images.slice(start, start + CHUNK), { training: false });
    means.push(...features.map((own) => meanFeatures(own, engine.tower!.width)));
  }
  return means;
}
