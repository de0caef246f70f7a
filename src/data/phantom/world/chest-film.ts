/**
 * Draws a frontal chest film: densities of body, lungs, heart, great vessels and bones are summed, as in projection
 * radiography.
 */
import { type Canvas, canvas, type Pose, paint, type Shape } from "./canvas.ts";
import type { Draws } from "./draws.ts";
import { addNoise, cloudAt } from "./noise.ts";
import type { Finding, Scene } from "./scene.ts";

/** Densities: 0 is air outside, 1 metal; the film's response curve maps them to grey values. */
const TISSUE = 0.62;
const LUNG = 0.2;

/** Radius in body units below which a nodule's edge is sharper, or nothing would be left of it. */
const SMALL = 0.047;

/** The film as densities, about in [0, 1]. */
export function drawChestFilm(scene: Scene, size: number, pose: Pose, draw: Draws, rough: number): Float32Array {
  const film = canvas(size, pose, 0.02);
  const of = (name: string) => scene.findings.filter(({ kind }) => kind.name === name);
  body(film, draw);
  const lungs = ([-1, 1] as const).map((sign) => lungShape(sign, draw));
  for (const lung of lungs) {
    paint(film, lung, { value: LUNG, soft: 0.07 });
    vessels(film, lung, draw);
  }
  for (const finding of of("pneumothorax")) collapse(film, finding, lungs[finding.site.side === "right" ? 0 : 1]!);
  bones(film, draw);
  for (const lung of lungs) paint(film, below(lung), { value: 0.07, mode: "add", soft: 0.05 });
  mediastinum(film, of("cardiomegaly")[0]?.radius ?? draw.between(0.25, 0.31), draw);
  for (const opacity of of("opacity")) haze(film, opacity, draw);
  for (const { u, v, radius, density: alpha } of of("nodule")) {
    const shape = { u, v, ru: radius, rv: radius * draw.between(0.9, 1.1), wave: draw.wave(0.04) };
    const soft = radius < SMALL ? 0.6 * radius : 0.045;
    paint(film, shape, { value: 0.36 - 0.1 * rough, mode: "add", soft, alpha });
  }
  for (const effusion of of("pleural effusion")) fluid(film, effusion, lungs[effusion.site.side === "right" ? 0 : 1]!);
  if (draw.between(0, 1) < 0.7) marker(film);
  const cloud = draw.grain();
  const step = 112 / size;
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      film.values[row * size + column]! += 0.03 * cloudAt((column * step + cloud) | 0, (row * step) | 0);
    }
  }
  addNoise(film.values, draw.grain(), 0.012 + 0.025 * rough, 0.6);
  return film.values;
}

function body(film: Canvas, draw: Draws): void {
  const build = draw.between(0.97, 1.05);
  paint(film, { u: 0, v: -0.95, ru: 0.27, rv: 0.5 }, { value: TISSUE - 0.12, soft: 0.06 });
  for (const sign of [-1, 1]) {
    paint(film, { u: sign * 0.62, v: -0.42, ru: 0.42 * build, rv: 0.3, turn: sign * 0.42 }, { value: 0.5, soft: 0.08 });
    paint(film, { u: sign * 1.02, v: 0.1, ru: 0.14, rv: 0.7, turn: sign * -0.12 }, { value: 0.38, soft: 0.06 });
  }
  paint(film, { u: 0, v: 0.3, ru: 0.9 * build, rv: 1.02, wave: [0, 0, 0, 0, 0.05, 0] }, { value: 0.54, soft: 0.08 });
  paint(film, { u: 0, v: 1.05, ru: 0.9, rv: 0.62 }, { value: 0.14, mode: "lift" });
  const breast = draw.between(0, 0.09);
  for (const sign of [-1, 1]) {
    paint(film, { u: sign * 0.45, v: 0.32, ru: 0.33, rv: 0.3 }, { value: breast, mode: "lift" });
  }
}

/** A lung: egg-shaped, narrow at the top, cut off by the dome of the diaphragm; sign is that of u. */
function lungShape(sign: number, draw: Draws): Shape {
  const dome = (sign < 0 ? 0.4 : 0.46) + draw.spread(0.03);
  return {
    u: sign * 0.42,
    v: -0.1,
    ru: 0.355 + draw.spread(0.015),
    rv: 0.73,
    turn: sign * -0.1,
    wave: [-0.02, 0, 0.03 * sign, 0.085, 0.03, 0],
    cut: { keep: "above", c0: dome, c1: 0, c2: 0.9, u0: sign * 0.36 },
  };
}

/** The region below the diaphragm that is cut off a lung. */
function below({ u, ru, cut }: Shape): Shape {
  return { u, v: 0.62, ru: ru * 1.05, rv: 0.32, cut: { ...cut!, keep: "below" } };
}

function vessels(film: Canvas, lung: Shape, draw: Draws): void {
  const sign = Math.sign(lung.u);
  for (let i = 0; i < 8; i++) {
    const angle = -1.2 + i * 0.35 + draw.spread(0.2);
    const length = draw.between(0.1, 0.26);
    const [u, v] = [sign * (0.19 + Math.cos(angle) * length), -0.02 + Math.sin(angle) * length];
    const shape = { u, v, ru: length, rv: 0.022, turn: sign > 0 ? angle : Math.PI - angle };
    paint(film, shape, { value: 0.055, mode: "lift", within: lung });
  }
  paint(film, { u: sign * 0.19, v: -0.03, ru: 0.1, rv: 0.17, turn: sign * 0.2 }, { value: 0.17, mode: "lift" });
}

/** Ribs descend laterally in the back and rise again in front; clavicles and spine. */
function bones(film: Canvas, draw: Draws): void {
  const first = -0.74 + draw.spread(0.03);
  for (let i = 0; i < 9; i++) {
    const v = first + i * 0.155;
    const half = Math.min(0.74, 0.4 + 0.09 * i);
    for (const sign of [-1, 1]) {
      stroke(film, sign, 0.1, half, (u) => v - 0.1 + 0.36 * u * u + 0.05 * u, 0.038, 0.13);
      if (i < 6) stroke(film, sign, half * 0.45, half, (u) => v + 0.42 - 0.45 * u + 0.1 * u * u, 0.034, 0.06);
    }
  }
  for (const sign of [-1, 1])
    stroke(film, sign, 0.07, 0.66, (u) => -0.56 - 0.2 * u + 0.06 * Math.sin(7 * u), 0.036, 0.14);
  paint(film, { u: 0, v: 0, ru: 0.1, rv: 1.4 }, { value: 0.13, mode: "lift" });
  for (let v = -0.8; v < 0.95; v += 0.13) {
    paint(film, { u: 0, v, ru: 0.085, rv: 0.02 }, { value: -0.05, mode: "lift" });
  }
}

/** A band of the given half-width along a curve, by distance from the midline. */
function stroke(
  { size, pose, values }: Canvas,
  sign: number,
  from: number,
  to: number,
  curve: (u: number) => number,
  half: number,
  value: number,
): void {
  const [cos, sin] = [Math.cos(pose.turn), Math.sin(pose.turn)];
  const step = 2 / size / pose.width;
  for (let out = from; out < to; out += step) {
    const fade = Math.min(1, (out - from) / 0.08, (to - out) / 0.05);
    const v = curve(out);
    const [x, y] = [sign * out * pose.width, v * pose.height];
    const column = Math.floor(((1 + pose.shiftU + cos * x - sin * y) / 2) * size);
    const middle = ((1 + pose.shiftV + sin * x + cos * y) / 2) * size;
    const reach = (half * pose.height * size) / 2;
    if (column < 0 || column >= size) continue;
    const last = Math.min(size - 1, Math.ceil(middle + reach));
    for (let row = Math.max(0, Math.floor(middle - reach)); row <= last; row++) {
      const t = (row + 0.5 - middle) / reach;
      // A hollow tube: its walls are brighter than its centre.
      if (t * t < 1) values[row * size + column]! += value * fade * (1 - t * t) * (0.6 + 1.4 * t * t);
    }
  }
}

/** Heart with its apex to the patient's left, aortic knob, vena cava, trachea; `half` is the heart's half-width. */
function mediastinum(film: Canvas, half: number, draw: Draws): void {
  const dense = { value: TISSUE + 0.06, soft: 0.06, alpha: 0.95 };
  const big = half / 0.28;
  paint(film, { u: 0, v: -0.15, ru: 0.12, rv: 0.62 }, { ...dense, alpha: 0.75, soft: 0.09 });
  paint(film, { u: 0.1, v: -0.3, ru: 0.095, rv: 0.11 }, dense);
  paint(film, { u: -0.02 - 0.1 * big, v: 0.2, ru: 0.13 * big, rv: 0.27 * Math.sqrt(big) }, dense);
  const heart = { u: 0.02 + 0.12 * big, v: 0.28, ru: 0.31 * big, rv: 0.22 * big, turn: 0.5, wave: draw.wave(0.03) };
  paint(film, heart, dense);
  paint(film, { u: 0.1, v: -0.06, ru: 0.13, rv: 0.14 }, { ...dense, alpha: 0.7 });
  paint(film, { u: draw.spread(0.02), v: -0.68, ru: 0.045, rv: 0.34 }, { value: -0.16, mode: "lift" });
  paint(film, { u: 0.42 + draw.spread(0.05), v: 0.66, ru: 0.15, rv: 0.09 }, { value: -0.2, mode: "lift", soft: 0.05 });
}

/** Confluent patchy opacities. */
function haze(film: Canvas, { u, v, radius, density = 1 }: Finding, draw: Draws): void {
  for (let i = 0; i < 5; i++) {
    const r = radius * draw.between(0.55, 0.85);
    const shape = { u: u + draw.spread(radius * 0.5), v: v + draw.spread(radius * 0.4), ru: r, rv: r * 0.85 };
    paint(film, { ...shape, wave: draw.wave(0.1) }, { value: TISSUE, soft: 0.16, alpha: 0.4 * density });
  }
}

/** Fluid in the lowest part of the pleural space: it hides the dome and rises at the lateral wall. */
function fluid(film: Canvas, { site, radius, density = 1 }: Finding, lung: Shape): void {
  const sign = site.side === "right" ? -1 : 1;
  const level = 0.44 - radius;
  const cut = { keep: "below", c0: level, c1: sign * -0.28, c2: -0.5, u0: sign * 0.4 } as const;
  const shape = { ...lung, rv: lung.rv * 1.1, cut };
  paint(film, shape, { value: TISSUE + 0.05, soft: 0.06, alpha: 0.93 * density });
}

/** Pneumothorax: air around a lung collapsed towards its hilum; black, without vessels, with a fine pleural line. */
function collapse(film: Canvas, { radius, density: alpha }: Finding, lung: Shape): void {
  const sign = Math.sign(lung.u);
  const small = { ...lung, u: lung.u - sign * radius * 0.75, v: lung.v + radius * 0.9, ru: lung.ru - radius * 0.3 };
  paint(film, lung, { value: 0.045, soft: 0.03, minus: small, alpha });
  const inner = { ...small, ru: small.ru - 0.035, rv: small.rv - 0.035 };
  paint(film, small, { value: 0.17, mode: "add", soft: 0.02, minus: inner, within: lung, alpha });
}

/** The marker R for the patient's right, at the upper left. */
function marker({ size, values }: Canvas): void {
  const letter = ["1110", "1001", "1001", "1110", "1010", "1001"];
  const scale = Math.max(1, Math.round(size / 112));
  const at = Math.round(0.06 * size);
  for (const [row, line] of letter.entries()) {
    for (let column = 0; column < 4 * scale; column++) {
      if (line[Math.floor(column / scale)] === "0") continue;
      for (let k = 0; k < scale; k++) values[(at + row * scale + k) * size + at + column] = 0.95;
    }
  }
}
