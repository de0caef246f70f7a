/**
 * Masks over the updates of any optimiser: after each of its steps a weight is drawn back towards where training began,
 * θ ← (1 − c)·θ0 + c·θ, with a share c in [0, 1] of its own for every element. Where c is 0 the weight is θ0, bit for bit.
 */
import { type RandomKey, uniform } from "../core/random.ts";

/** Elements of one weight: float32 as they are trained, float64 to check the arithmetic. */
type Elements = Float32Array | Float64Array;

/** What a mask needs to know of one weight, in two arrays of its size. */
export interface MaskState<Values extends Elements = Float32Array> {
  /** The weight at the first step under the mask. */
  readonly start: Values;
  /** The sum of the gradients of all steps, each after clipping. */
  readonly total: Values;
}

/** The share c of every element; `key` is the weight's own. */
export type UpdateMask = <Values extends Elements>(state: MaskState<Values>, key: RandomKey) => Values;

/**
 * SPIDER (arXiv 2411.10928): elements move as far as they matter more to the new task than to the model as it was. With I
 * the importance below, c = I(Σg) / (I(θ0) + I(Σg)) where I(Σg) is larger, else 0; then c ← min(c / mean of the c above 0, 1).
 */
export function spiderMask<Values extends Elements>({ start, total }: MaskState<Values>): Values {
  const [before, now] = [importanceOf(start), importanceOf(total)];
  const shares = total.slice() as Values;
  let [sum, above] = [0, 0];
  for (let i = 0; i < shares.length; i++) {
    const [old, own] = [before(i), now(i)];
    const share = old < own ? own / (old + own) : 0;
    shares[i] = share;
    sum += share;
    if (share > 0) above++;
  }
  const mean = above === 0 ? 1 : sum / above;
  for (let i = 0; i < shares.length; i++) shares[i] = Math.min(shares[i]! / mean, 1);
  return shares;
}

/** The control (ours): half of all elements, drawn once for good, move freely and the other half not at all. */
export function randomMask<Values extends Elements>({ start }: MaskState<Values>, key: RandomKey): Values {
  const shares = start.slice() as Values;
  for (let i = 0; i < shares.length; i++) shares[i] = Number(uniform(key, i) < 0.5);
  return shares;
}

export const updateMasks = {
  none: null,
  spider: spiderMask,
  random: randomMask,
} as const satisfies Readonly<Record<string, UpdateMask | null>>;

export type UpdateMaskName = keyof typeof updateMasks;

/** Before a step of the optimiser: adds its gradient, clipped by `scale`, to the sum. */
export function addGradient<Values extends Elements>(
  { total }: MaskState<Values>,
  gradient: Values,
  scale: number,
): void {
  for (let i = 0; i < total.length; i++) total[i] = total[i]! + scale * gradient[i]!;
}

/** After it: draws the weight back under the mask, in place. */
export function drawBack<Values extends Elements>(
  mask: UpdateMask,
  state: MaskState<Values>,
  key: RandomKey,
  parameter: Values,
): void {
  const { start } = state;
  const shares = mask(state, key);
  for (let i = 0; i < shares.length; i++) {
    const share = shares[i]!;
    if (share === 1) continue;
    parameter[i] = share === 0 ? start[i]! : start[i]! + share * (parameter[i]! - start[i]!);
  }
}

/**
 * How much each element matters within its weight: the logistic function of its size, standardised by the mean and the
 * sample deviation of all sizes. 0 in a weight of zeros; 0.5 where all are of one size (ours: there is no deviation).
 */
function importanceOf(x: Elements): (i: number) => number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += Math.abs(x[i]!);
  if (sum === 0) return () => 0;
  const mean = sum / x.length;
  let squares = 0;
  for (let i = 0; i < x.length; i++) squares += (Math.abs(x[i]!) - mean) ** 2;
  const deviation = Math.sqrt(squares / (x.length - 1));
  if (!(deviation > 1e-12 * mean)) return () => 0.5;
  return (i) => 1 / (1 + Math.exp((mean - Math.abs(x[i]!)) / deviation));
}
