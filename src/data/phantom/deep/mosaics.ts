/**
 * Mosaics: patches of tissue as a whole slide has them, few of which tell its score. Scores are skewed: high ones, which
 * matter most, are rare.
 */
import { number } from "../../../core/fields.ts";
import { fold, permutation, type RandomKey, randomKey, uniform } from "../../../core/random.ts";
import type { Example, RawImage } from "../../../core/records.ts";
import { dialId, patientDials } from "../world/dials/dials.ts";
import { atSite } from "../world/dials/site.ts";
import { draws } from "../world/draws.ts";
import { addNoise, cloudAt } from "../world/noise.ts";
import { generatedSet, type WorldOptions } from "../world/world.ts";

/** Patches in a row and in a column. */
export const MOSAIC_SIDE = 8;
/** Scores are 0 to this. */
export const MOST_SCORE = 10;

const own = {
  informative: number({ above: 0, max: 1 })
    .default(0.05)
    .describe("Share of patches that show the score; at least one does."),
};

export const phantomMosaics = generatedSet(
  {
    name: "phantom_mosaics",
    description: "Phantom mosaics: 8 x 8 patches of tissue, a few of which show the score that is asked for",
  },
  { train: 1920, validation: 480, test: 960 },
  mosaicExample,
  own,
);

/** The example at an index of a split. */
export function mosaicExample(
  seed: number,
  split: string,
  index: number,
  { imageSize, difficulty, dials }: WorldOptions,
  { informative } = { informative: 0.05 },
): Example {
  const key = fold(randomKey(seed, "phantom_mosaics", split), index);
  const score = Math.floor((MOST_SCORE + 1) * uniform(fold(key, "score"), 0) ** 3);
  const patches = MOSAIC_SIDE * MOSAIC_SIDE;
  const count = Math.max(1, Math.round(informative * patches));
  const telling = Array.from(permutation(fold(key, "patches"), patches).slice(0, count)).sort((a, b) => a - b);
  const patient = dials === undefined ? null : patientDials(dials, index, key);
  const drawn = drawMosaic(imageSize, new Set(telling), score, difficulty, patient?.contrast ?? 1, key);
  const image = patient?.site == null ? drawn : atSite(drawn, patient.site, key);
  const path = `phantom_mosaics:${seed}/${split}/${index}/${difficulty}/${imageSize}/${informative}${dials === undefined ? "" : dialId(dials)}`;
  const target = { value: score, tolerance: 1 };
  return {
    id: path,
    subjectId: `phantom_mosaics:${seed}/${split}/${index}`,
    question: "What is the score of this slide, 0 to 10?",
    images: [{ path, pixels: image }],
    answer: String(score),
    answerType: "numeric",
    choices: [],
    target,
    facts: { modality: "histology", organ: "tissue", findings: [], score, patches: { side: MOSAIC_SIDE, telling } },
    meta: { split, modality: "histology", organ: "tissue", question_type: "score", ...patient?.meta },
  };
}

/** Tissue with pale fibres; a telling patch has as many dark nuclei as the score, and one more. */
function drawMosaic(
  size: number,
  telling: ReadonlySet<number>,
  score: number,
  difficulty: number,
  contrast: number,
  key: RandomKey,
): RawImage {
  const values = new Float32Array(size * size);
  const side = size / MOSAIC_SIDE;
  for (let patch = 0; patch < MOSAIC_SIDE * MOSAIC_SIDE; patch++) {
    const draw = draws(fold(fold(key, "patch"), patch));
    const [left, top] = [(patch % MOSAIC_SIDE) * side, Math.floor(patch / MOSAIC_SIDE) * side];
    const [light, startX, startY] = [150 + draw.spread(14), draw.below(256), draw.below(256)];
    const step = 224 / size;
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        const texture = cloudAt((startX + column * step * 3) | 0, (startY + row * step) | 0);
        const edge = row < 1 || column < 1 ? -30 : 0;
        values[(top + row) * size + left + column] = light + 22 * texture + edge;
      }
    }
    const nuclei = telling.has(patch) ? score + 1 : 0;
    for (let i = 0; i < nuclei; i++) {
      const radius = side * draw.between(0.06, 0.09);
      const [x, y] = [left + side * draw.between(0.15, 0.85), top + side * draw.between(0.15, 0.85)];
      nucleus(values, size, x, y, radius, 90 * contrast);
    }
  }
  addNoise(values, draws(fold(key, "noise")).grain(), 3 + 12 * difficulty);
  const data = Uint8Array.from(values, (value) => Math.max(0, Math.min(255, value)));
  return { width: size, height: size, channels: 1, data };
}

function nucleus(values: Float32Array, size: number, x: number, y: number, radius: number, depth: number): void {
  const reach = Math.ceil(radius + 1);
  for (let row = Math.floor(y) - reach; row <= y + reach; row++) {
    for (let column = Math.floor(x) - reach; column <= x + reach; column++) {
      const share = Math.max(0, Math.min(1, radius + 0.5 - Math.hypot(column + 0.5 - x, row + 0.5 - y)));
      const at = row * size + column;
      if (share > 0 && row >= 0 && column >= 0 && row < size && column < size) {
        values[at] = values[at]! + share * (Math.min(values[at]!, 150 - depth) - values[at]!);
      }
    }
  }
}
