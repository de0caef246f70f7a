/** Weights of pairs so that longer and shorter winners weigh the same in all (ours): length alone then says nothing of who wins. */

export const pairBalances = ["none", "length"] as const;
export type PairBalance = (typeof pairBalances)[number];

/** Lengths of the two completions of a pair, in words. */
export interface BalancedPair {
  readonly chosen: number;
  readonly rejected: number;
}

/** A weight per pair, with a mean of 1; 1 each without balance, and where one of the two sides has no pair. */
export function balanceWeights(pairs: readonly BalancedPair[], balance: PairBalance): readonly number[] {
  const sides = pairs.map(({ chosen, rejected }) => Math.sign(chosen - rejected));
  const count = (side: number) => sides.filter((own) => own === side).length;
  const [longer, shorter] = [count(1), count(-1)];
  if (balance === "none" || longer === 0 || shorter === 0) return pairs.map(() => 1);
  const half = (longer + shorter) / 2;
  return sides.map((side) => (side === 0 ? 1 : half / (side > 0 ? longer : shorter)));
}
