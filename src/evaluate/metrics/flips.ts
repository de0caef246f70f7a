/** How answers change between two variants of a model (flips, arXiv 2407.09141), and how far token probabilities move. */

/** One question before and after the change. */
export interface Change {
  /** The answers differ, right or wrong. */
  readonly changed: boolean;
  /** 1 for right. */
  readonly before: number;
  readonly after: number;
}

/** Right before and wrong after. */
export function isBadFlip({ before, after }: Change): boolean {
  return before === 1 && after === 0;
}

/** Wrong before and right after. */
export function isGoodFlip({ before, after }: Change): boolean {
  return before === 0 && after === 1;
}

/**
 * Sums over tokens that the base drew, of two estimates of KL(base ‖ variant) in nats: k1 = log p − log q, and
 * k3 = q/p − 1 − log q/p, which is never negative (Schulman, "Approximating KL divergence").
 */
export function divergenceSums(
  base: ArrayLike<number>,
  variant: ArrayLike<number>,
): { readonly tokens: number; readonly k1: number; readonly k3: number } {
  let [k1, k3] = [0, 0];
  for (let t = 0; t < base.length; t++) {
    const ratio = variant[t]! - base[t]!;
    k1 -= ratio;
    k3 += Math.expm1(ratio) - ratio;
  }
  return { tokens: base.length, k1, k3 };
}

/** Sums over the tokens of one question's completion. */
export interface DivergenceRow {
  readonly subject: string;
  readonly tokens: number;
  readonly k1: number;
  readonly k3: number;
}

export interface Divergence {
  readonly rows: readonly DivergenceRow[];
  /** The temperature at which the changed model is nearest on calibration questions, and the rows at it; null where it was not sought. */
  readonly cooled: { readonly temperature: number; readonly rows: readonly DivergenceRow[] } | null;
}
