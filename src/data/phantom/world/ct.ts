/**
 * Draws axial CT slices in Hounsfield units, seen from the feet: the patient's right is on the image's left, the back
 * below.
 */
import { type Canvas, canvas, type Pose, paint, type Shape } from "./canvas.ts";
import type { Draws } from "./draws.ts";
import { addNoise } from "./noise.ts";
import type { Finding, Scene } from "./scene.ts";

const AIR = -1000;
const FAT = -100;
const WATER = 8;
const MUSCLE = 55;
const BONE = 420;
const LUNG = -840;

/** A slice of the chest at the level of the heart. */
export function drawChestCt(scene: Scene, size: number, pose: Pose, draw: Draws, rough: number): Float32Array {
  const slice = trunk(size, pose, draw, 0.64);
  const of = (name: string) => scene.findings.filter(({ kind }) => kind.name === name);
  const lungs = ([-1, 1] as const).map(
    (sign): Shape => ({
      u: sign * 0.42,
      v: -0.03,
      ru: 0.31 + draw.spread(0.015),
      rv: 0.45 + draw.spread(0.02),
      turn: sign * 0.12,
      wave: [-0.03, 0.03 * sign, -0.05 * sign, -0.05, 0.02, 0],
    }),
  );
  cage(slice, draw, 0.76, 0.55);
  paint(slice, { u: 0, v: -0.28, ru: 0.1, rv: 0.2 }, { value: FAT, soft: 0.04 });
  for (const lung of lungs) {
    paint(slice, lung, { value: LUNG + draw.spread(25), soft: 0.015 });
    bronchi(slice, lung, draw);
  }
  const heart = { u: 0.12 + draw.spread(0.02), v: -0.1, ru: 0.31, rv: 0.24, turn: 0.55, wave: draw.wave(0.05) };
  paint(slice, { u: 0.02, v: 0.02, ru: 0.2, rv: 0.3, wave: draw.wave(0.04) }, { value: 40, soft: 0.02 });
  paint(slice, heart, { value: 45, soft: 0.02 });
  paint(slice, { ...heart, u: heart.u + 0.06, v: heart.v + 0.02, ru: 0.17, rv: 0.11 }, { value: 150, soft: 0.06 });
  paint(slice, { u: -0.03, v: -0.14, ru: 0.12, rv: 0.13 }, { value: 130, soft: 0.06 });
  paint(slice, { u: 0.11, v: 0.28, ru: 0.075, rv: 0.075 }, { value: 170 });
  paint(slice, { u: 0.02, v: 0.22, ru: 0.03, rv: 0.03 }, { value: 20 });
  vertebra(slice, 0.45);
  for (const finding of of("pneumothorax")) freeAir(slice, finding, lungs[finding.site.side === "right" ? 0 : 1]!);
  for (const finding of of("pleural effusion")) {
    const lung = lungs[finding.site.side === "right" ? 0 : 1]!;
    const sign = Math.sign(lung.u);
    const cut = { keep: "below", c0: 0.3 - finding.radius, c1: sign * -0.15, c2: -0.6, u0: lung.u } as const;
    const alpha = finding.density;
    const edge = { ...lung, cut: { ...cut, c0: cut.c0 - 0.05 } };
    paint(slice, { ...lung, cut }, { value: 12, soft: 0.02, alpha });
    paint(slice, edge, { value: -250, soft: 0.06, minus: { ...lung, cut }, alpha });
  }
  for (const finding of of("consolidation")) consolidate(slice, finding, lungs, draw);
  for (const { u, v, radius, density: alpha } of of("nodule")) {
    const shape = { u, v, ru: radius, rv: radius * draw.between(0.9, 1.1), wave: draw.wave(0.06) };
    paint(slice, shape, { value: 45, alpha });
  }
  addNoise(slice.values, draw.grain(), 12 + 34 * rough, 0.5);
  return slice.values;
}

/** A slice of the upper abdomen in the portal venous phase. */
export function drawAbdomenCt(scene: Scene, size: number, pose: Pose, draw: Draws, rough: number): Float32Array {
  const slice = trunk(size, pose, draw, 0.68);
  const of = (name: string) => scene.findings.filter(({ kind }) => kind.name === name);
  const cavity = { u: 0, v: -0.06, ru: 0.78, rv: 0.54, wave: [0, 0, 0, 0.04, -0.03, 0] };
  paint(slice, cavity, { value: FAT + 10, soft: 0.02 });
  cage(slice, draw, 0.82, 0.6);
  const fluid = of("ascites")[0];
  if (fluid !== undefined) paint(slice, { ...cavity, ru: 0.77, rv: 0.53 }, { value: WATER, soft: 0.02 });
  const gap = fluid === undefined ? 0 : fluid.radius * 0.8;
  bowel(slice, draw, gap);
  const liver = {
    u: -0.4 + gap * 0.6,
    v: -0.08,
    ru: 0.4 - gap * 0.5,
    rv: 0.43 - gap,
    turn: -0.35,
    wave: [0.06, -0.04, 0.04, 0.07, 0.02, draw.spread(0.03)],
  };
  const spleen = {
    u: 0.66 - gap * 0.6,
    v: 0.04,
    ru: 0.13,
    rv: 0.25 - gap * 0.5,
    turn: -0.25,
    wave: [0.02, 0, 0.09, 0, 0, 0],
  };
  paint(slice, { u: -0.12, v: -0.29, ru: 0.27, rv: 0.15 - gap * 0.4, turn: 0.1 }, { value: 112 });
  paint(slice, liver, { value: 112 });
  portal(slice, draw, liver);
  paint(slice, spleen, { value: 122 });
  stomach(slice, draw, gap);
  paint(slice, { u: 0.12, v: -0.06, ru: 0.22, rv: 0.06, turn: -0.35, wave: draw.wave(0.1) }, { value: 90 });
  vertebra(slice, 0.36);
  paint(slice, { u: 0.07, v: 0.16, ru: 0.07, rv: 0.07 }, { value: 190 });
  paint(slice, { u: -0.13, v: 0.14, ru: 0.08, rv: 0.06 }, { value: 150 });
  for (const sign of [-1, 1]) {
    paint(slice, { u: sign * 0.2, v: 0.4, ru: 0.09, rv: 0.13, turn: sign * -0.4 }, { value: MUSCLE });
    kidney(slice, sign, draw);
  }
  for (const { u, v, radius, density: alpha } of of("liver lesion")) {
    const shape = { u: u + gap * 0.6, v, ru: radius, rv: radius * draw.between(0.85, 1.1), wave: draw.wave(0.07) };
    paint(slice, shape, { value: 30, soft: 0.03, alpha });
  }
  for (const { u, v, radius, density: alpha } of of("splenic lesion")) {
    const shape = { u: u - gap * 0.6, v, ru: radius, rv: radius, wave: draw.wave(0.05) };
    paint(slice, shape, { value: 32, soft: 0.025, alpha });
  }
  for (const { u, v, radius, density: alpha } of of("kidney lesion")) {
    paint(slice, { u: u * 1.1, v: v - 0.04, ru: radius, rv: radius }, { value: WATER, alpha });
  }
  for (const { u, v, radius, density: alpha } of of("kidney stone")) {
    paint(slice, { u: u * 0.93, v, ru: radius, rv: radius * 0.85 }, { value: 1100, alpha });
  }
  addNoise(slice.values, draw.grain(), 9 + 20 * rough, 0.6);
  return slice.values;
}

/** Applies a window of the given level and width; grey values in [0, 255]. */
export function windowed(values: Float32Array, level: number, width: number): Uint8Array {
  const data = new Uint8Array(values.length);
  for (let i = 0; i < data.length; i++) {
    const grey = ((values[i]! - level) / width + 0.5) * 255;
    data[i] = grey < 0 ? 0 : Math.min(grey, 255);
  }
  return data;
}

/** Skin, fat and muscle wall, on the scanner's table. */
function trunk(size: number, pose: Pose, draw: Draws, rv: number): Canvas {
  const slice = canvas(size, pose, AIR);
  const fat = draw.between(0, 0.06);
  paint(
    slice,
    { u: 0, v: 0.6, ru: 1.1, rv: 0.3, cut: { keep: "below", c0: 0.8, c1: 0, c2: -0.12, u0: 0 } },
    { value: -300 },
  );
  paint(
    slice,
    { u: 0, v: 0.63, ru: 1.1, rv: 0.3, cut: { keep: "below", c0: 0.83, c1: 0, c2: -0.12, u0: 0 } },
    { value: AIR },
  );
  const skin = { u: 0, v: 0, ru: 0.9 + fat, rv: rv + fat, wave: [0, 0, 0, 0.02, -0.03, draw.spread(0.008)] };
  paint(slice, skin, { value: 20 });
  paint(slice, { ...skin, ru: skin.ru - 0.022, rv: skin.rv - 0.022 }, { value: FAT });
  const wall = { u: 0, v: -0.01, ru: 0.83, rv: rv - 0.06, wave: [0, 0, 0, 0.025, -0.03, 0] };
  paint(slice, wall, { value: MUSCLE });
  for (const sign of [-1, 1]) {
    paint(slice, { u: sign * 0.22, v: rv - 0.14, ru: 0.17, rv: 0.085, turn: sign * -0.2 }, { value: MUSCLE });
  }
  paint(slice, { u: 0, v: rv + 0.01, ru: 0.03, rv: 0.1 }, { value: FAT });
  return slice;
}

/** Ribs in cross-section around the trunk, with the sternum in front. */
function cage(slice: Canvas, draw: Draws, ru: number, rv: number): void {
  const first = draw.between(0.1, 0.4);
  for (const sign of [-1, 1]) {
    for (let i = 0; i < 5; i++) {
      const angle = -1 + first + i * 0.42;
      const shape = { u: sign * ru * Math.cos(angle), v: rv * Math.sin(angle), ru: 0.085, rv: 0.026 };
      const turn = sign * (Math.atan2(rv * Math.cos(angle), -ru * Math.sin(angle)) + draw.spread(0.1));
      paint(slice, { ...shape, turn }, { value: BONE });
      paint(slice, { ...shape, turn, ru: 0.06, rv: 0.01 }, { value: 200 });
    }
  }
  paint(slice, { u: 0, v: -rv - 0.01, ru: 0.1, rv: 0.03 }, { value: 300 });
}

function vertebra(slice: Canvas, v: number): void {
  paint(slice, { u: 0, v, ru: 0.13, rv: 0.1, wave: [0.03, 0, 0, 0, 0, 0] }, { value: BONE - 60 });
  paint(slice, { u: 0, v, ru: 0.1, rv: 0.075 }, { value: 240, soft: 0.03 });
  for (const sign of [-1, 1]) {
    paint(slice, { u: sign * 0.15, v: v + 0.13, ru: 0.09, rv: 0.03, turn: sign * 0.25 }, { value: BONE - 40 });
  }
  paint(slice, { u: 0, v: v + 0.13, ru: 0.08, rv: 0.06 }, { value: BONE });
  paint(slice, { u: 0, v: v + 0.12, ru: 0.05, rv: 0.04 }, { value: 30 });
  paint(slice, { u: 0, v: v + 0.22, ru: 0.025, rv: 0.07 }, { value: BONE });
}

/** Pulmonary vessels in longitudinal and cross-section, thicker towards the hilum. */
function bronchi(slice: Canvas, lung: Shape, draw: Draws): void {
  const sign = Math.sign(lung.u);
  for (let i = 0; i < 8; i++) {
    const angle = -1.3 + i * 0.36 + draw.spread(0.15);
    const length = draw.between(0.06, 0.1);
    const away = draw.between(0, 0.1);
    const [u, v] = [sign * (0.22 + Math.cos(angle) * (length + away)), Math.sin(angle) * (1.6 * length + away)];
    const shape = { u, v, ru: length, rv: 0.02 - 0.08 * away, turn: sign > 0 ? angle : Math.PI - angle };
    paint(slice, shape, { value: -120, within: lung, soft: 0.02, alpha: 0.8 });
  }
  for (let i = 0; i < 22; i++) {
    const [u, v] = [lung.u + draw.spread(0.25), lung.v + draw.spread(0.38)];
    const r = draw.between(0.008, 0.018);
    paint(slice, { u, v, ru: r, rv: r }, { value: -150, within: lung, alpha: 0.8 });
  }
}

/** Air in front of a collapsed lung. */
function freeAir(slice: Canvas, { radius, density: alpha }: Finding, lung: Shape): void {
  const fallen = { ...lung, v: lung.v + radius * 1.3, u: lung.u - Math.sign(lung.u) * radius * 0.4 };
  paint(slice, lung, { value: AIR, minus: fallen, alpha });
  const inner = { ...fallen, ru: fallen.ru - 0.025, rv: fallen.rv - 0.025 };
  paint(slice, fallen, { value: -420, minus: inner, within: lung, alpha });
}

/** Consolidated lung with air bronchograms. */
function consolidate(
  slice: Canvas,
  { u, v, radius, site, density = 1 }: Finding,
  lungs: readonly Shape[],
  draw: Draws,
): void {
  const within = lungs[site.side === "right" ? 0 : 1]!;
  for (let i = 0; i < 5; i++) {
    const shape = {
      u: u + draw.spread(radius * 0.6),
      v: v + draw.spread(radius * 0.5),
      ru: radius * 0.8,
      rv: radius * 0.7,
    };
    paint(slice, { ...shape, wave: draw.wave(0.14) }, { value: 15, soft: 0.09, within, alpha: 0.75 * density });
  }
  for (let i = 0; i < 3; i++) {
    const shape = { u: u + draw.spread(radius * 0.5), v: v + draw.spread(radius * 0.4), ru: radius * 0.45, rv: 0.014 };
    paint(slice, { ...shape, turn: draw.spread(0.8) }, { value: -800, within, alpha: 0.8 * density });
  }
}

/** Bowel loops, anterior and in the patient's left flank. */
function bowel(slice: Canvas, draw: Draws, gap: number): void {
  for (let i = 0; i < 8; i++) {
    const inFront = i < 4;
    const u = (inFront ? 0.08 + 0.13 * i : 0.1 + 0.13 * (i - 4)) + draw.spread(0.03);
    const v = (inFront ? -0.42 + 0.02 * i * i : 0.08) + draw.spread(0.03) + (inFront ? gap : 0);
    const r = draw.between(0.06, 0.085);
    const loop = { u, v, ru: r, rv: r * draw.between(0.7, 1), wave: draw.wave(0.08) };
    paint(slice, loop, { value: 65 });
    const isGas = inFront && draw.between(0, 1) < 0.35;
    paint(slice, { ...loop, ru: r * 0.65, rv: r * 0.5 }, { value: isGas ? -700 : 25, soft: 0.02 });
  }
}

/** Stomach with wall, fluid, and air on top, since the patient is supine. */
function stomach(slice: Canvas, draw: Draws, gap: number): void {
  const shape = { u: 0.38, v: -0.2 + gap * 0.5, ru: 0.2, rv: 0.17, turn: 0.3, wave: draw.wave(0.05) };
  paint(slice, shape, { value: 80 });
  const inner = { ...shape, ru: shape.ru - 0.03, rv: shape.rv - 0.03 };
  paint(slice, inner, { value: 25 });
  const level = shape.v - draw.between(0, 0.06);
  paint(slice, { ...inner, cut: { keep: "above", c0: level, c1: 0, c2: 0, u0: 0 } }, { value: -950 });
}

/** Portal vein branches, brighter than the liver. */
function portal(slice: Canvas, draw: Draws, within: Shape): void {
  for (let i = 0; i < 5; i++) {
    const angle = 2.2 + i * 0.5 + draw.spread(0.15);
    const shape = {
      u: -0.36 + 0.17 * Math.cos(angle),
      v: -0.08 + 0.17 * Math.sin(angle),
      ru: 0.13,
      rv: 0.02,
      turn: angle,
    };
    paint(slice, shape, { value: 150, soft: 0.02, within, alpha: 0.7 });
  }
}

/** A kidney: bean-shaped, with a bright cortex and sinus fat, open medially. */
function kidney(slice: Canvas, sign: number, draw: Draws): void {
  const shape = { u: sign * 0.42, v: 0.27, ru: 0.125, rv: 0.15, turn: sign * 0.35, wave: draw.wave(0.03) };
  paint(slice, { ...shape, ru: 0.155, rv: 0.18 }, { value: FAT });
  paint(slice, shape, { value: 205 });
  paint(slice, { ...shape, ru: 0.085, rv: 0.1 }, { value: 165, soft: 0.04 });
  paint(slice, { u: sign * 0.36, v: 0.27, ru: 0.07, rv: 0.045, turn: sign * 0.3 }, { value: -60, soft: 0.02 });
}
