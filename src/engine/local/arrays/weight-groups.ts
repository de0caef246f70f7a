/** Which weights one program on a device changes: few programs for many small weights, and no second copy of all at once. */
import type { TensorData } from "../../../core/tensor-data.ts";
import { bytesOfShape } from "../../../runtime/device-memory.ts";

/** Bytes of the weights of one program (ours): what it makes of them lies beside them until it is done. */
const GROUP_BYTES = 64e6;

/** Neighbours of up to this size together; a larger weight by itself. */
export function weightGroups<T extends { readonly weight: Pick<TensorData, "dtype" | "shape"> }>(
  weights: readonly T[],
): readonly (readonly T[])[] {
  const groups: T[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const one of weights) {
    const own = bytesOfShape(one.weight);
    if (bytes + own > GROUP_BYTES) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)!.push(one);
    bytes += own;
  }
  return groups;
}
