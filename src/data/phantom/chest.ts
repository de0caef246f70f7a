/**
 * Draws a frontal chest film in grey values: body, lungs, heart, spine, ribs, clavicles, noise, and optionally an
 * opacity.
 */
import { fold, type RandomKey, uint32, uniform } from "../../core/random.ts";
import type { RawImage } from "../../core/records.ts";
import type { Place } from "./case.ts";

/** A soft, bright, round shadow; x, y and radius as fractions of the image's size, y downwards. */
export interface Blob {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  /** Peak brightness above the lung, in grey values. */
  readonly contrast: number;
}

/** Side length of a film in pixels. */
export const FILM_SIZE = 112;

/** Position within its zone, size and brightness of an opacity on this film; the right lung is left in the image. */
export function placeOpacity({ side, zone }: Place, key: RandomKey): Blob {
  const own = fold(key, "opacity");
  const pose = poseOf(fold(key, "pose"));
  const away = (zone === "lower" ? 0.49 : 0.4) + spread(own, 0, 0.05);
  const u = side === "right" ? -away : away;
  const y = (1 + pose.shiftY + pose.height * ((zone === "upper" ? -0.42 : 0.13) + spread(own, 1, 0.08))) / 2;
  const x = (1 + pose.shiftX + pose.width * (u - pose.lean * (2 * y - 1))) / 2;
  return { x, y, radius: 0.11 + spread(own, 2, 0.02), contrast: 100 + spread(own, 3, 15) };
}

/** Draws a film; position, size, build and exposure vary with the key. */
export function drawFilm(key: RandomKey, opacity: Blob | null): RawImage {
  const n = FILM_SIZE;
  const pose = poseOf(fold(key, "pose"));
  const cloud = grid(fold(key, "cloud"));
  const grain = fold(key, "grain");
  const data = new Uint8Array(n * n);
  for (let row = 0; row < n; row++) {
    const py = (row + 0.5) / n;
    // Body coordinates: 0 is the centre of the chest, 1 about the edge of the film.
    const v = (2 * py - 1 - pose.shiftY) / pose.height;
    for (let column = 0; column < n; column++) {
      const at = row * n + column;
      const px = (column + 0.5) / n;
      const u = (2 * px - 1 - pose.shiftX) / pose.width + pose.lean * (2 * py - 1);
      let grey = anatomy(u, v, pose) + 9 * sample(cloud, px, py);
      if (opacity !== null) grey += shadow(opacity, px, py, grey);
      data[at] = Math.max(0, Math.min(255, pose.gain * (grey - 110) + 110 + pose.exposure + noise(grain, at)));
    }
  }
  return { width: n, height: n, channels: 1, data };
}

/** Grey value added by the opacity: full over air, less over brighter tissue. */
function shadow({ x, y, radius, contrast }: Blob, px: number, py: number, grey: number): number {
  return contrast * bump(px - x, py - y, radius) * Math.max(0, Math.min(1, (215 - grey) / 120));
}

interface Pose {
  readonly shiftX: number;
  readonly shiftY: number;
  readonly width: number;
  readonly height: number;
  readonly lean: number;
  readonly gain: number;
  readonly exposure: number;
  readonly heart: number;
  readonly dome: number;
  readonly ribPhase: number;
}

function poseOf(key: RandomKey): Pose {
  return {
    shiftX: spread(key, 0, 0.05),
    shiftY: spread(key, 1, 0.05),
    width: 1 + spread(key, 2, 0.06),
    height: 1 + spread(key, 3, 0.06),
    lean: spread(key, 4, 0.04),
    gain: 1 + spread(key, 5, 0.12),
    exposure: spread(key, 6, 12),
    heart: 1 + spread(key, 7, 0.12),
    dome: spread(key, 8, 0.05),
    ribPhase: uniform(key, 9),
  };
}

/** Grey value outside the body. */
const AIR = 14;

/** Grey value of the body without noise; u to the image's right (the patient's left), v downwards. */
function anatomy(u: number, v: number, pose: Pose): number {
  const out = Math.abs(u);
  const halfWidth = 0.24 + 0.72 * step(-1.02, -0.55, v) - 0.1 * step(-0.5, 0.1, v) + 0.06 * step(0.2, 1, v);
  const body = 1 - step(halfWidth - 0.06, halfWidth + 0.03, out);
  if (body === 0) return AIR;

  const lung = lungShare(u, out, v, pose);
  let grey = 158 + 18 * step(0.35, 0.9, v);
  grey -= 22 * step(0.72, 0.9, out) * step(-0.45, 0, v);
  grey -= lung * (98 - 16 * step(-0.1, 0.6, v));
  // Rib arcs fall to the side behind, rise in front, and fade towards the spine.
  const cage = (1 - step(0.78, 0.9, out)) * step(0.08, 0.2, out) * (1 - step(0.45, 0.75, v)) * step(-0.85, -0.7, v);
  if (cage > 0) {
    const behind = v * 5.2 - 1.5 * out + 1.9 * out * out + pose.ribPhase;
    const inFront = v * 4.4 + 2.4 * out + pose.ribPhase;
    grey += cage * (19 * ridge(behind, 0.24) + 8 * ridge(inFront, 0.18) * step(0.25, 0.5, out));
  }
  if (lung > 0) grey += 24 * bump(u - (u < 0 ? -0.19 : 0.2), v + 0.06, 0.17) * lung;
  if (out < 0.6) grey = mediastinum(grey, u, out, v, pose);
  const clavicle = (v + 0.6 + 0.22 * (out - 0.1)) / 0.06;
  if (Math.abs(clavicle) < 1) grey += 20 * soft(clavicle) * step(0.06, 0.14, out) * (1 - step(0.62, 0.75, out));
  if (u > 0.15 && v > 0.3) grey -= 38 * bump(u - 0.42, (v - 0.74 - pose.dome) * 1.5, 0.2);
  return AIR + body * (grey - AIR);
}

/**
 * How far a point is inside a lung, 0 to 1: an egg-shaped region on each side, cut off by the dome of the diaphragm.
 */
function lungShare(u: number, out: number, v: number, pose: Pose): number {
  if (out > 0.85 || v > 0.75 || v < -0.9) return 0;
  const centre = 0.41 + 0.06 * v;
  const x = (out - centre) / (0.355 - 0.08 * step(-0.2, -0.75, v));
  const y = (v + 0.06) / 0.76;
  const egg = 1 - step(0.82, 1.08, x * x + y * y * y * y * 0.55 + y * y * 0.45);
  // The liver lifts the dome of the patient's right side.
  const base = (u < 0 ? 0.4 : 0.47) + pose.dome;
  const dome = base + 0.95 * (out - 0.38) * (out - 0.38) + 0.12 * step(0.5, 0.75, out);
  return egg * (1 - step(dome - 0.035, dome + 0.035, v));
}

/** Draws spine, great vessels, heart and windpipe over the grey value so far. */
function mediastinum(grey: number, u: number, out: number, v: number, pose: Pose): number {
  const spine = 1 - step(0.09, 0.17 + 0.04 * step(-0.2, 0.4, v), out);
  const vertebra = 6 * ridge(v * 6 + pose.ribPhase, 0.3) * (1 - step(0.05, 0.12, out));
  let next = grey + spine * (Math.max(grey, 172) - grey) + vertebra;
  const arch = 1 - step(0.5, 1.3, square((u - 0.09) / 0.12) + square((v + 0.34) / 0.15));
  const hilum = 1 - step(0, 1.3, square((u - 0.14) / 0.14) + square((v + 0.08) / 0.2));
  next += Math.max(0.8 * arch, 0.5 * hilum) * Math.max(0, 162 - next);
  // The heart's long axis points down to the patient's left; the right atrium protrudes slightly next to the spine.
  const hx = (u - 0.13) * 0.86 + (v - 0.24) * 0.51;
  const hy = (v - 0.24) * 0.86 - (u - 0.13) * 0.51;
  const ventricle = square(hx / (0.34 * pose.heart)) + square(hy / (0.23 * pose.heart));
  const atrium = square((u + 0.06) / (0.15 * pose.heart)) + square((v - 0.22) / 0.26);
  const heart = 1 - step(0.62, 1.3, Math.min(ventricle, atrium));
  next += 0.95 * heart * Math.max(0, 172 - next);
  return next - 26 * (1 - step(0.025, 0.07, out)) * (1 - step(-0.36, -0.24, v));
}

/** Smoothstep: 0 below `from`, 1 above `to`. */
function step(from: number, to: number, x: number): number {
  const t = (x - from) / (to - from);
  return t <= 0 ? 0 : t >= 1 ? 1 : t * t * (3 - 2 * t);
}

/** A radial bump of height 1 that ends at 1.9 radii; half height at about 0.9. */
function bump(dx: number, dy: number, radius: number): number {
  const t = 1 - (dx * dx + dy * dy) / (3.61 * radius * radius);
  return t <= 0 ? 0 : t * t * t;
}

/** A soft falloff: 1 at 0, 0 beyond 1. */
function soft(x: number): number {
  const t = 1 - x * x;
  return t <= 0 ? 0 : t * t;
}

/** A soft ridge at every integer, `width` of a period to each side. */
function ridge(phase: number, width: number): number {
  return soft((phase - Math.round(phase)) / width);
}

function square(x: number): number {
  return x * x;
}

/** Uniform in [-range, range]. */
function spread(key: RandomKey, counter: number, range: number): number {
  return (2 * uniform(key, counter) - 1) * range;
}

/** Approximately normal, standard deviation 4.5: the sum of four random bytes. */
function noise(key: RandomKey, at: number): number {
  const bits = uint32(key, at);
  return ((bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24) - 510) * 0.0304;
}

const CELLS = 9;

/** Random heights in [-1, 1] on a coarse grid. */
function grid(key: RandomKey): Float32Array {
  return Float32Array.from({ length: (CELLS + 1) * (CELLS + 1) }, (_, i) => spread(key, i, 1));
}

/** Bilinear interpolation of the grid at a point of [0, 1). */
function sample(heights: Float32Array, x: number, y: number): number {
  const column = Math.floor(x * CELLS);
  const row = Math.floor(y * CELLS);
  const fx = x * CELLS - column;
  const fy = y * CELLS - row;
  const at = row * (CELLS + 1) + column;
  const top = heights[at]! * (1 - fx) + heights[at + 1]! * fx;
  const bottom = heights[at + CELLS + 1]! * (1 - fx) + heights[at + CELLS + 2]! * fx;
  return top * (1 - fy) + bottom * fy;
}
