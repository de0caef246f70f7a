/**
 * Draws MR slices of the head in signal values: axial (seen from the feet), coronal (from the front), sagittal
 * (midline).
 */
import { type Canvas, canvas, type Pose, paint, type Shape } from "./canvas.ts";
import type { Draws } from "./draws.ts";
import { addRicianNoise, cloudAt } from "./noise.ts";
import type { Finding, Scene } from "./scene.ts";
import type { Sequence } from "./views.ts";

/** Signal of each tissue, 1 about the brightest; T1 is contrast-enhanced. */
interface Tissues {
  readonly fluid: number;
  readonly grey: number;
  readonly white: number;
  readonly fat: number;
  readonly muscle: number;
  readonly edema: number;
  readonly rim: number;
  readonly core: number;
  readonly blood: number;
  readonly bloodEdge: number;
  readonly infarct: number;
}

const BONE = 0.05;

const tissues: Readonly<Record<Sequence, Tissues>> = {
  t1: {
    ...{ fluid: 0.14, grey: 0.44, white: 0.62, fat: 0.95, muscle: 0.42, edema: 0.38 },
    ...{ rim: 1.05, core: 0.2, blood: 0.9, bloodEdge: 0.75, infarct: 0.28 },
  },
  t2: {
    ...{ fluid: 0.97, grey: 0.56, white: 0.36, fat: 0.66, muscle: 0.24, edema: 0.74 },
    ...{ rim: 0.2, core: 0.95, blood: 0.12, bloodEdge: 0.8, infarct: 0.84 },
  },
  flair: {
    ...{ fluid: 0.09, grey: 0.56, white: 0.42, fat: 0.62, muscle: 0.28, edema: 0.82 },
    ...{ rim: 0.85, core: 0.3, blood: 0.16, bloodEdge: 0.75, infarct: 0.92 },
  },
};

/** Draws the slice in the scene's plane. */
export function drawBrain(scene: Scene, size: number, pose: Pose, draw: Draws, rough: number): Float32Array {
  const tissue = tissues[scene.sequence ?? "t1"];
  const head = canvas(size, pose, 0.01);
  if (scene.view.plane === "axial") axial(head, scene, tissue, draw);
  else if (scene.view.plane === "coronal") coronal(head, tissue, draw);
  else sagittal(head, tissue, draw);
  bias(head, draw, 0.1 + 0.2 * rough);
  addRicianNoise(head.values, draw.grain(), 0.015 + 0.05 * rough);
  return head.values;
}

function axial(head: Canvas, { findings }: Scene, tissue: Tissues, draw: Draws): void {
  const of = (name: string) => findings.filter(({ kind }) => kind.name === name);
  const sideOf = ({ site }: Finding) => (site.side === "right" ? -1 : 1);
  const outline = { u: 0, v: 0.02, ru: 0.74, rv: 0.9, wave: [0, 0, draw.spread(0.008), -0.012, -0.012, 0] };
  skullAround(head, outline, tissue);
  const cortex = { ...outline, ru: 0.62, rv: 0.78 };
  brainMatter(head, cortex, tissue, draw, 0.83);
  const shifted = of("midline shift")[0];
  const shift = shifted === undefined ? draw.spread(0.008) : sideOf(shifted) * shifted.radius;
  fissure(head, tissue, cortex, shift);
  for (const sign of [-1, 1]) {
    paint(
      head,
      { u: sign * 0.13 + shift, v: -0.14, ru: 0.05, rv: 0.1, turn: sign * 0.35 },
      { value: tissue.grey, soft: 0.03 },
    );
    paint(
      head,
      { u: sign * 0.25 + shift * 0.7, v: -0.03, ru: 0.07, rv: 0.16, turn: sign * -0.25 },
      { value: tissue.grey, soft: 0.05 },
    );
    paint(
      head,
      { u: sign * 0.11 + shift, v: 0.1, ru: 0.075, rv: 0.1, turn: sign * 0.3 },
      { value: tissue.grey, soft: 0.03 },
    );
  }
  ventricles(head, tissue, of("hydrocephalus")[0]?.radius ?? draw.between(0.75, 1.1), shift, draw);
  for (const finding of of("subdural hematoma")) {
    const sign = sideOf(finding);
    const inner = { ...cortex, u: cortex.u - sign * finding.radius * 1.5, ru: cortex.ru * 1.04, rv: cortex.rv * 1.02 };
    const outer = { ...cortex, ru: 0.645, rv: 0.8 };
    const half = { u: sign * 0.5, v: 0, ru: 0.5, rv: 0.75 };
    const painted = { value: tissue.bloodEdge, within: outer, minus: inner, soft: 0.02, alpha: finding.density };
    paint(head, half, painted);
  }
  for (const finding of of("infarct")) wedge(head, finding, cortex, tissue, draw);
  for (const finding of of("hemorrhage")) clot(head, finding, cortex, tissue, draw);
  for (const finding of of("ring-enhancing lesion")) ring(head, finding, cortex, tissue, draw);
}

/** Scalp, skull and cerebrospinal fluid around the brain, from the outside in. */
function skullAround(head: Canvas, outline: Shape, { fat, fluid, muscle }: Tissues): void {
  const shrink = (by: number) => ({ ...outline, ru: outline.ru - by, rv: outline.rv - by });
  paint(head, shrink(-0.005), { value: muscle });
  paint(head, shrink(0.012), { value: fat });
  paint(head, shrink(0.05), { value: BONE });
  paint(head, shrink(0.07), { value: fat * 0.4 });
  paint(head, shrink(0.085), { value: BONE });
  paint(head, shrink(0.1), { value: fluid });
}

/** White matter under a folded cortex with fluid in its sulci; `depth` is the extent of the white matter. */
function brainMatter(head: Canvas, cortex: Shape, tissue: Tissues, draw: Draws, depth: number): void {
  paint(head, cortex, { value: tissue.grey, soft: 0.02 });
  const { size, pose, values } = head;
  const start = draw.below(256);
  const scale = 112 / size;
  const [cos, sin] = [Math.cos(pose.turn), Math.sin(pose.turn)];
  const [stretchU, stretchV] = [1 / (cortex.ru * pose.width), 1 / (cortex.rv * pose.height)];
  for (let row = 0; row < size; row++) {
    const y = (2 * row + 1) / size - 1 - pose.shiftV;
    for (let column = 0; column < size; column++) {
      const x = (2 * column + 1) / size - 1 - pose.shiftU;
      const a = (cos * x + sin * y - cortex.u * pose.width) * stretchU;
      const b = (cos * y - sin * x - cortex.v * pose.height) * stretchV;
      const d = a * a + b * b;
      if (d > 0.98) continue;
      const fold = cloudAt((column * scale * 3.4 + start) | 0, (row * scale * 3.4 + 50) | 0);
      const at = row * size + column;
      const white = (depth * depth + 0.3 * Math.abs(fold) - 0.08 - d) * 6;
      if (white > 0) values[at]! += Math.min(white, 1) * (tissue.white - tissue.grey);
      // Sulci follow the zero crossings of the noise, deeper near the surface.
      const furrow = (d - 0.45) * 3.2 * (1 - Math.abs(fold) * 6);
      if (d > 0.45 && furrow > 0) values[at]! += Math.min(furrow, 0.8) * (tissue.fluid - values[at]!);
    }
  }
}

/** The interhemispheric fissure, anterior and posterior; a midline shift bends it. */
function fissure(head: Canvas, tissue: Tissues, cortex: Shape, shift: number): void {
  for (const [from, to] of [
    [-0.74, -0.3],
    [0.36, 0.76],
  ] as const) {
    for (let v = from; v < to; v += 0.03) {
      const bow = shift * (1 - (v / cortex.rv) ** 2);
      paint(head, { u: bow, v, ru: 0.022, rv: 0.04 }, { value: tissue.fluid, soft: 0.012, alpha: 0.75 });
    }
  }
}

/** Frontal and occipital horns with the third ventricle between them; `scale` above 1.2 is abnormally wide. */
function ventricles(head: Canvas, { fluid, white }: Tissues, scale: number, shift: number, draw: Draws): void {
  paint(head, { u: shift, v: -0.24, ru: 0.12 * scale, rv: 0.03 }, { value: white, soft: 0.02 });
  for (const sign of [-1, 1]) {
    const tilt = draw.spread(0.05);
    const front = {
      u: sign * 0.085 * Math.sqrt(scale) + shift,
      v: -0.2,
      ru: 0.042 * scale,
      rv: 0.12 * Math.sqrt(scale),
    };
    paint(head, { ...front, turn: sign * (0.35 + tilt), wave: [0, 0, 0, 0.08, 0, 0] }, { value: fluid, soft: 0.015 });
    const back = {
      u: sign * 0.19 * Math.sqrt(scale) + shift * 0.8,
      v: 0.24,
      ru: 0.042 * scale,
      rv: 0.15 * Math.sqrt(scale),
    };
    paint(head, { ...back, turn: sign * (-0.42 + tilt) }, { value: fluid, soft: 0.015 });
    if (scale > 1.2) {
      const body = { u: sign * 0.15 + shift, v: 0.02, ru: 0.05 * scale, rv: 0.22 };
      paint(head, { ...body, turn: sign * -0.25 }, { value: fluid, soft: 0.02 });
    }
  }
  paint(head, { u: shift, v: 0.03, ru: 0.016 * scale, rv: 0.1 }, { value: fluid, soft: 0.012 });
}

/** A contrast-enhancing rim around a necrotic core, with surrounding oedema. */
function ring(head: Canvas, { u, v, radius, density = 1 }: Finding, within: Shape, tissue: Tissues, draw: Draws): void {
  const wave = draw.wave(0.05);
  const round = (share: number) => ({ u, v, ru: radius * share, rv: radius * share * 0.95, wave });
  paint(
    head,
    { ...round(1.55), wave: draw.wave(0.14) },
    { value: tissue.edema, soft: 0.08, within, alpha: 0.8 * density },
  );
  paint(head, round(0.95), { value: tissue.rim, within, alpha: density });
  paint(head, round(0.6), { value: tissue.core, alpha: density });
}

function clot(head: Canvas, { u, v, radius, density = 1 }: Finding, within: Shape, tissue: Tissues, draw: Draws): void {
  const wave = draw.wave(0.1);
  const shape = { u, v, ru: radius * 0.9, rv: radius * draw.between(0.8, 1), wave };
  paint(
    head,
    { ...shape, ru: shape.ru * 1.35, rv: shape.rv * 1.35 },
    { value: tissue.edema, soft: 0.07, within, alpha: 0.7 * density },
  );
  paint(head, shape, { value: tissue.blood, soft: 0.02, alpha: density });
}

/** An infarct: an arterial territory, widest at the surface of the brain. */
function wedge(
  head: Canvas,
  { u, v, radius, density = 1 }: Finding,
  within: Shape,
  tissue: Tissues,
  draw: Draws,
): void {
  const angle = Math.atan2(v, u);
  const shape = { u: u * 1.12, v: v * 1.08, ru: radius * 1.05, rv: radius * 0.85, turn: angle + Math.PI / 2 };
  paint(
    head,
    { ...shape, wave: [0.05, 0, 0.1, draw.spread(0.08), 0.04, 0] },
    { value: tissue.infarct, soft: 0.06, within, alpha: 0.88 * density },
  );
}

function coronal(head: Canvas, tissue: Tissues, draw: Draws): void {
  const { fat, fluid, grey, white, muscle } = tissue;
  paint(head, { u: 0, v: 0.9, ru: 0.44, rv: 0.6 }, { value: muscle });
  paint(head, { u: 0, v: 0.9, ru: 0.09, rv: 0.55 }, { value: fat * 0.5, soft: 0.04 });
  for (const sign of [-1, 1])
    paint(head, { u: sign * 0.34, v: 0.85, ru: 0.07, rv: 0.4 }, { value: fat * 0.7, soft: 0.06 });
  const outline = { u: 0, v: -0.1, ru: 0.77, rv: 0.8, wave: [0, 0, 0, 0.02, -0.025, 0] };
  skullAround(head, outline, tissue);
  const cortex = { ...outline, v: -0.17, ru: 0.65, rv: 0.62 };
  brainMatter(head, cortex, tissue, draw, 0.8);
  const shift = draw.spread(0.008);
  for (let v = -0.72; v < -0.24; v += 0.03) {
    paint(head, { u: shift, v, ru: 0.022, rv: 0.04 }, { value: fluid, soft: 0.012, alpha: 0.75 });
  }
  paint(head, { u: 0, v: -0.2, ru: 0.2, rv: 0.035, wave: [0, 0, 0, 0, 0, 0] }, { value: white, soft: 0.02 });
  const scale = draw.between(0.8, 1.1);
  for (const sign of [-1, 1]) {
    paint(
      head,
      { u: sign * 0.12, v: -0.13, ru: 0.11 * scale, rv: 0.04 * scale, turn: sign * 0.5 },
      { value: fluid, soft: 0.015 },
    );
    paint(head, { u: sign * 0.13, v: 0.02, ru: 0.09, rv: 0.1 }, { value: grey, soft: 0.03 });
    paint(head, { u: sign * 0.28, v: -0.02, ru: 0.07, rv: 0.13, turn: sign * -0.3 }, { value: grey, soft: 0.04 });
    // The Sylvian fissure above the temporal lobe.
    paint(
      head,
      { u: sign * 0.52, v: 0.02, ru: 0.17, rv: 0.025, turn: sign * -0.5 },
      { value: fluid, soft: 0.02, alpha: 0.85 },
    );
    paint(head, { u: sign * 0.32, v: 0.26, ru: 0.03, rv: 0.012 }, { value: fluid, soft: 0.02 });
  }
  paint(head, { u: 0, v: 0, ru: 0.016, rv: 0.1 }, { value: fluid, soft: 0.012 });
  // Tentorium, cerebellum with its folia, brain stem.
  paint(head, { u: 0, v: 0.36, ru: 0.5, rv: 0.27 }, { value: fluid, soft: 0.02 });
  paint(head, { u: 0, v: 0.38, ru: 0.46, rv: 0.23, wave: [0, 0, 0, -0.04, 0, 0] }, { value: grey, soft: 0.02 });
  for (const sign of [-1, 1]) {
    for (let i = 0; i < 5; i++) {
      const [u, v] = [sign * 0.26, 0.24 + i * 0.07];
      paint(
        head,
        { u, v, ru: 0.17 - 0.02 * i, rv: 0.014, turn: sign * (0.15 + 0.05 * i) },
        { value: white, soft: 0.02 },
      );
    }
  }
  paint(head, { u: 0, v: 0.3, ru: 0.11, rv: 0.24 }, { value: white, soft: 0.03 });
}

function sagittal(head: Canvas, tissue: Tissues, draw: Draws): void {
  const { fat, fluid, grey, white, muscle } = tissue;
  // Face and neck: the face is on the image's left.
  paint(head, { u: 0.2, v: 0.85, ru: 0.36, rv: 0.6 }, { value: muscle });
  paint(head, { u: -0.42, v: 0.48, ru: 0.36, rv: 0.4, wave: draw.wave(0.02) }, { value: muscle });
  paint(head, { u: -0.78, v: 0.33, ru: 0.1, rv: 0.14, turn: 0.5 }, { value: muscle });
  paint(head, { u: -0.5, v: 0.36, ru: 0.24, rv: 0.11 }, { value: BONE, soft: 0.05 });
  paint(head, { u: -0.45, v: 0.6, ru: 0.22, rv: 0.09, turn: -0.1 }, { value: fat * 0.6, soft: 0.05 });
  paint(head, { u: -0.12, v: 0.75, ru: 0.05, rv: 0.35 }, { value: BONE, soft: 0.03 });
  const outline = { u: 0.02, v: -0.2, ru: 0.86, rv: 0.74, wave: [0.01, 0, 0.02, 0, -0.015, 0] };
  skullAround(head, outline, tissue);
  const cortex = { ...outline, u: 0.02, v: -0.25, ru: 0.73, rv: 0.56 };
  paint(head, { u: 0.05, v: 0.1, ru: 0.5, rv: 0.3 }, { value: BONE, soft: 0.06, minus: cortex });
  brainMatter(head, cortex, tissue, draw, 0.74);
  // Corpus callosum: an arch above the ventricle.
  const bow = { u: 0.02, v: -0.08, ru: 0.33, rv: 0.23 };
  const above = { keep: "above", c0: -0.02, c1: 0, c2: 0, u0: 0 } as const;
  paint(head, { ...bow, ru: 0.4, rv: 0.3, cut: above }, { value: grey, soft: 0.04 });
  paint(head, { ...bow, cut: above }, { value: white * 1.06, soft: 0.015 });
  paint(head, { ...bow, ru: 0.27, rv: 0.165, cut: above }, { value: fluid, soft: 0.02 });
  paint(head, { u: 0.04, v: -0.02, ru: 0.12, rv: 0.075 }, { value: grey, soft: 0.03 });
  // Brain stem and spinal cord, cerebellum behind, fluid around.
  paint(head, { u: 0.2, v: 0.35, ru: 0.36, rv: 0.28 }, { value: fluid, soft: 0.03 });
  paint(head, { u: 0.14, v: 0.7, ru: 0.1, rv: 0.5, turn: -0.06 }, { value: fluid, soft: 0.02 });
  paint(head, { u: 0.06, v: 0.2, ru: 0.075, rv: 0.16, turn: -0.25 }, { value: white, soft: 0.02 });
  paint(head, { u: 0.05, v: 0.3, ru: 0.11, rv: 0.1 }, { value: white * 0.95, soft: 0.02 });
  paint(head, { u: 0.14, v: 0.68, ru: 0.05, rv: 0.38, turn: -0.08 }, { value: white, soft: 0.015 });
  const cerebellum = { u: 0.38, v: 0.3, ru: 0.19, rv: 0.18, wave: [0, 0, 0, 0, 0.03, 0] };
  paint(head, cerebellum, { value: grey, soft: 0.02 });
  for (let i = 0; i < 7; i++) {
    const angle = -2.2 + i * 0.72;
    const leaf = {
      u: 0.38 + 0.09 * Math.cos(angle),
      v: 0.3 + 0.09 * Math.sin(angle),
      ru: 0.08,
      rv: 0.012,
      turn: angle,
    };
    paint(head, leaf, { value: white, soft: 0.02 });
  }
  for (let i = 0; i < 4; i++) {
    paint(head, { u: 0.33, v: 0.66 + 0.13 * i, ru: 0.03, rv: 0.045 }, { value: fat * 0.5, soft: 0.02 });
    paint(head, { u: -0.0, v: 0.62 + 0.13 * i, ru: 0.055, rv: 0.05 }, { value: fat * 0.55, soft: 0.02 });
  }
}

/** Coil sensitivity (bias field): a smooth field around 1. */
function bias({ size, values }: Canvas, draw: Draws, strength: number): void {
  const [a, b, c, d] = [draw.spread(strength), draw.spread(strength), draw.spread(strength), draw.spread(strength)];
  for (let row = 0; row < size; row++) {
    const y = (2 * row + 1) / size - 1;
    const [base, slope, curve] = [1 + b * y + d * y * y, a + c * y, c * 0.5];
    for (let column = 0; column < size; column++) {
      const x = (2 * column + 1) / size - 1;
      values[row * size + column]! *= base + slope * x + curve * x * x;
    }
  }
}
