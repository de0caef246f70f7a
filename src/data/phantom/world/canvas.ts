/**
 * The rasteriser of the phantom world: soft closed shapes, painted into an image of physical values in body coordinates
 * (0 is the centre, 1 about the edge; u to the image's right, v downwards). A shape visits only the pixels of its
 * bounding box.
 */

/** Position and orientation of a body in the image. */
export interface Pose {
  readonly shiftU: number;
  readonly shiftV: number;
  readonly width: number;
  readonly height: number;
  /** Radians, clockwise. */
  readonly turn: number;
}

export interface Canvas {
  /** Side length in pixels. */
  readonly size: number;
  readonly pose: Pose;
  /** Physical values, row by row: Hounsfield units, MR signal, or film density. */
  readonly values: Float32Array;
}

/** An ellipse whose radius varies with the angle; used for organs and lesions. */
export interface Shape {
  readonly u: number;
  readonly v: number;
  readonly ru: number;
  readonly rv: number;
  /** Radians, clockwise. */
  readonly turn?: number;
  /** Cosine and sine amplitudes of the radius' second, third and fourth harmonics, as fractions of the radius. */
  readonly wave?: readonly number[];
  /** Cuts off the part on one side of a curve. */
  readonly cut?: Cut;
}

/** The curve v = c0 + c1 (u - u0) + c2 (u - u0)², and which side of it is kept. */
export interface Cut {
  readonly keep: "above" | "below";
  readonly c0: number;
  readonly c1: number;
  readonly c2: number;
  readonly u0: number;
}

/** How covered pixels are painted. */
export interface Paint {
  readonly value: number;
  /** `over` replaces, `add` adds, `lift` adds the projection of a solid ellipsoid with peak thickness 1. */
  readonly mode?: "over" | "add" | "lift";
  /** Width of the soft edge in body units; at least half a pixel. */
  readonly soft?: number;
  /** Restricts painting to the inside of this shape. */
  readonly within?: Shape;
  /** Restricts painting to the outside of this shape. */
  readonly minus?: Shape;
  /** Opacity, 0 to 1. */
  readonly alpha?: number | undefined;
}

export function canvas(size: number, pose: Pose, value: number): Canvas {
  return { size, pose, values: new Float32Array(size * size).fill(value) };
}

/** The image position of a body point, as fractions of the image's width and height. */
export function imagePoint(pose: Pose, u: number, v: number): { readonly x: number; readonly y: number } {
  const cos = Math.cos(pose.turn);
  const sin = Math.sin(pose.turn);
  const x = u * pose.width;
  const y = v * pose.height;
  return { x: (1 + pose.shiftU + cos * x - sin * y) / 2, y: (1 + pose.shiftV + sin * x + cos * y) / 2 };
}

/** Paints a shape. */
export function paint({ size, pose, values }: Canvas, shape: Shape, paint: Paint): void {
  const { value, mode = "over", soft = 0, alpha = 1 } = paint;
  const main = ready(shape, soft, pose, size);
  const within = paint.within === undefined ? null : ready(paint.within, soft, pose, size);
  const minus = paint.minus === undefined ? null : ready(paint.minus, soft, pose, size);
  const isLift = mode === "lift";
  const isOver = mode === "over";
  const { outer, ax, ay, a0, bx, by, b0 } = main;
  const aa = ax * ax + bx * bx;
  for (let row = 0; row < size; row++) {
    // The columns of this row where a² + b² < outer.
    const pa = a0 + ay * row;
    const pb = b0 + by * row;
    const half = ax * pa + bx * pb;
    const disc = half * half - aa * (pa * pa + pb * pb - outer);
    if (disc <= 0) continue;
    const reach = Math.sqrt(disc);
    const first = Math.max(0, Math.ceil((-half - reach) / aa));
    const last = Math.min(size - 1, Math.floor((-half + reach) / aa));
    for (let column = first; column <= last; column++) {
      let share = isLift ? thickness(main, column, row) : coverage(main, column, row);
      if (share === 0) continue;
      if (within !== null) share *= coverage(within, column, row);
      if (minus !== null) share *= 1 - coverage(minus, column, row);
      const at = row * size + column;
      const old = values[at]!;
      values[at] = isOver ? old + share * alpha * (value - old) : old + share * alpha * value;
    }
  }
}

/** A shape in pixel coordinates: a and b are linear in column and row, with length 1 at the ellipse's edge. */
interface Ready {
  readonly a0: number;
  readonly ax: number;
  readonly ay: number;
  readonly b0: number;
  readonly bx: number;
  readonly by: number;
  /** Squared distances: fully covered below `inner`, not covered above `outer`. */
  readonly inner: number;
  readonly outer: number;
  /** Radius divided by edge width. */
  readonly sharp: number;
  readonly waves: boolean;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  readonly w4: number;
  readonly w5: number;
  /**
   * Depth behind the cut's curve, in edge widths: d0 + dv v + (d1 + d2 du) du, with u and v linear in column and row.
   */
  readonly cuts: boolean;
  readonly u0: number;
  readonly ux: number;
  readonly uy: number;
  readonly v0: number;
  readonly vx: number;
  readonly vy: number;
  readonly d1: number;
  readonly d2: number;
  readonly dv: number;
}

function ready({ u, v, ru, rv, turn = 0, wave, cut }: Shape, soft: number, pose: Pose, size: number): Ready {
  const edge = Math.max(soft, 2 / size / pose.width);
  const sharp = Math.min(ru, rv) / edge;
  const [cosP, sinP, cos, sin] = [Math.cos(pose.turn), Math.sin(pose.turn), Math.cos(turn), Math.sin(turn)];
  const step = 2 / size;
  const [x0, y0] = [1 / size - 1 - pose.shiftU, 1 / size - 1 - pose.shiftV];
  const [ux, uy] = [(cosP * step) / pose.width, (sinP * step) / pose.width];
  const [vx, vy] = [(-sinP * step) / pose.height, (cosP * step) / pose.height];
  const u0 = (cosP * x0 + sinP * y0) / pose.width;
  const v0 = (cosP * y0 - sinP * x0) / pose.height;
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0, w4 = 0, w5 = 0] = wave ?? [];
  const swell = Math.hypot(w0, w1) + Math.hypot(w2, w3) + Math.hypot(w4, w5);
  const low = (1 - swell) * (1 - 0.5 / sharp);
  const high = (1 + swell) * (1 + 0.5 / sharp);
  const sign = (cut?.keep === "above" ? -1 : 1) / edge;
  return {
    a0: (cos * (u0 - u) + sin * (v0 - v)) / ru,
    ax: (cos * ux + sin * vx) / ru,
    ay: (cos * uy + sin * vy) / ru,
    b0: (cos * (v0 - v) - sin * (u0 - u)) / rv,
    bx: (cos * vx - sin * ux) / rv,
    by: (cos * vy - sin * uy) / rv,
    inner: low > 0 ? low * low : 0,
    outer: high * high,
    sharp,
    waves: wave !== undefined,
    ...{ w0, w1, w2, w3, w4, w5 },
    cuts: cut !== undefined,
    ...{ u0: u0 - (cut?.u0 ?? 0), ux, uy, v0: v0 - (cut?.c0 ?? 0), vx, vy },
    d1: -sign * (cut?.c1 ?? 0),
    d2: -sign * (cut?.c2 ?? 0),
    dv: sign,
  };
}

/** Distance from the centre relative to the radius at that angle, from the squared distance in the ellipse. */
function distance(shape: Ready, a: number, b: number, square: number): number {
  const d = Math.sqrt(square);
  if (!shape.waves || d < 1e-6) return d;
  const c1 = a / d;
  const s1 = b / d;
  const c2 = c1 * c1 - s1 * s1;
  const s2 = 2 * c1 * s1;
  const c3 = c2 * c1 - s2 * s1;
  const s3 = s2 * c1 + c2 * s1;
  const c4 = c2 * c2 - s2 * s2;
  const s4 = 2 * c2 * s2;
  const even = shape.w0 * c2 + shape.w1 * s2 + shape.w4 * c4 + shape.w5 * s4;
  return d / (1 + even + shape.w2 * c3 + shape.w3 * s3);
}

function coverage(shape: Ready, column: number, row: number): number {
  const a = shape.a0 + shape.ax * column + shape.ay * row;
  const b = shape.b0 + shape.bx * column + shape.by * row;
  const square = a * a + b * b;
  if (square >= shape.outer) return 0;
  let share = 1;
  if (square > shape.inner) {
    const t = 0.5 + (1 - distance(shape, a, b, square)) * shape.sharp;
    if (t <= 0) return 0;
    if (t < 1) share = t * t * (3 - 2 * t);
  }
  return shape.cuts ? share * kept(shape, column, row) : share;
}

function thickness(shape: Ready, column: number, row: number): number {
  const a = shape.a0 + shape.ax * column + shape.ay * row;
  const b = shape.b0 + shape.bx * column + shape.by * row;
  const d = distance(shape, a, b, a * a + b * b);
  if (d >= 1) return 0;
  const whole = Math.sqrt(1 - d * d);
  return shape.cuts ? whole * kept(shape, column, row) : whole;
}

/** Coverage of a pixel on the kept side of the cut. */
function kept(shape: Ready, column: number, row: number): number {
  const du = shape.u0 + shape.ux * column + shape.uy * row;
  const dv = shape.v0 + shape.vx * column + shape.vy * row;
  const t = 0.5 + shape.dv * dv + (shape.d1 + shape.d2 * du) * du;
  return t <= 0 ? 0 : Math.min(t, 1);
}
