/**
 * Which expert answers a question: the one whose solved cases are most like it (after MedAlign's retrieval-aware mixture of
 * experts; the definition is ours). A case's likeness is α of the images' cosine and the rest of the texts'; the k likest
 * vote with weights softmax(likeness / τ), and the expert with the largest share answers, if it has at least θ.
 */

export interface RouteOptions {
  /** Weight of the image's likeness, from 0 to 1; the text has the rest. */
  readonly alpha: number;
  readonly k: number;
  readonly tau: number;
  /** Smallest share with which an expert answers; below it the model's own weights do. */
  readonly theta: number;
  /** Cases that are shown with the question. */
  readonly context: number;
}

export const routeDefaults: RouteOptions = { alpha: 0.5, k: 8, tau: 0.05, theta: 0.4, context: 2 };

export interface Vote {
  /** Indices of the likest cases, the likest first. */
  readonly nearest: readonly number[];
  /** By expert, null for the model's own weights; they sum to 1. */
  readonly shares: ReadonlyMap<string | null, number>;
  readonly expert: string | null;
}

/** Cases to choose from, one entry of each array a case. */
export interface Likenesses {
  readonly ids: readonly string[];
  readonly experts: readonly (string | null)[];
  readonly image: ArrayLike<number>;
  readonly text: ArrayLike<number>;
}

/** The vote of the cases that may be used; ties go to the first id, so the order of the cases decides nothing. */
export function voteFor(
  { ids, experts, image, text }: Likenesses,
  { alpha, k, tau, theta }: Omit<RouteOptions, "context">,
  isAllowed: (index: number) => boolean = () => true,
): Vote {
  const likeness = (i: number) => alpha * image[i]! + (1 - alpha) * text[i]!;
  const before = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  const nearest = Array.from(ids.keys())
    .filter(isAllowed)
    .map((i) => [i, likeness(i)] as const)
    .sort(([a, s], [b, t]) => t - s || before(ids[a]!, ids[b]!) || a - b)
    .slice(0, k);
  const most = nearest[0]?.[1] ?? 0;
  const weights = nearest.map(([, s]) => Math.exp((s - most) / tau));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const sums = new Map<string | null, number>();
  for (const [place, [i]] of nearest.entries()) {
    const expert = experts[i]!;
    sums.set(expert, (sums.get(expert) ?? 0) + weights[place]!);
  }
  // Divided at the end, so that a single expert has exactly 1.
  const shares = new Map([...sums].map(([expert, sum]) => [expert, sum / total]));
  const [best, share] = [...shares].reduce<readonly [string | null, number]>(
    (top, own) => (own[1] > top[1] ? own : top),
    [null, 0],
  );
  return { nearest: nearest.map(([i]) => i), shares, expert: share >= theta ? best : null };
}
