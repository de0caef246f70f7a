/** Who wrote which tokens of a completion: lengths and means count the policy's alone. */
import type { Completion, Segment } from "./records.ts";

/** The number of tokens that the policy wrote. */
export function policyLength({ tokenIds, segments }: Pick<Completion, "tokenIds" | "segments">): number {
  if (segments === undefined) return tokenIds.length;
  return segments.reduce((sum, { by, tokens }) => sum + (by === "policy" ? tokens : 0), 0);
}

/** One per token: 1 where the policy wrote it, 0 where it was observed. */
export function policyMask(segments: readonly Segment[]): Uint8Array {
  return Uint8Array.from(segments.flatMap(({ by, tokens }) => new Array<number>(tokens).fill(by === "policy" ? 1 : 0)));
}

/** Of one value per token, the policy's. */
export function policyValues(values: Float32Array, segments: readonly Segment[] | undefined): Float32Array {
  if (segments === undefined) return values;
  const mask = policyMask(segments);
  return values.filter((_, t) => mask[t] === 1);
}
