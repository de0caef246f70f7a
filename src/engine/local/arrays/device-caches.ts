/** Key-value caches on a device: which program makes them of which arrays. */
import type { Params, Program } from "../../../compiler/tensor.ts";
import { int32, type TensorData } from "../../../core/tensor-data.ts";
import type { CacheArrays } from "./arrays.ts";
import { appendProgram, type CacheShape, emptyProgram, selectProgram, slotProgram } from "./cache-programs.ts";

type Make = (
  key: string,
  shapes: readonly (readonly number[])[],
  program: () => Program,
  feeds: Params<TensorData>,
) => readonly TensorData[];

export function cacheArrays(make: Make, release: (held: readonly TensorData[]) => void): CacheArrays {
  const keyOf = (name: string, { count, headDim }: CacheShape) => `${name}.${count}.${headDim}`;
  const alike = ({ count, headDim }: CacheShape, rows: number, positions: number) =>
    Array.from({ length: count }, () => [rows, 1, positions, headDim]);
  const fed = (held: readonly TensorData[]) => Object.fromEntries(held.map((cache, i) => [`cache.${i}`, cache]));
  const index = (values: Int32Array) => int32([values.length], values);
  return {
    empty: (shape, rows, positions) =>
      make(keyOf("empty", shape), alike(shape, rows.length, positions.length), () => emptyProgram(shape), {
        "slot index": index(rows),
        "position index": index(positions),
      }),
    select: (shape, held, rows, positions) =>
      make(keyOf("select", shape), alike(shape, rows.length, positions.length), () => selectProgram(shape), {
        ...fed(held),
        "slot index": index(rows),
        "position index": index(positions),
      }),
    append(shape, held, added, places) {
      const capacity = held[0]!.shape[2]!;
      const positions = Int32Array.from({ length: capacity }, (_, i) => i);
      return make(keyOf("append", shape), alike(shape, places.length, capacity), () => appendProgram(shape), {
        ...fed(held),
        ...{ added, place: index(places), "position index": index(positions) },
      });
    },
    addSlot(shape, held, added, positions) {
      const isFirst = held.length === 0;
      const rows = added.shape[0]! / shape.count + (isFirst ? 0 : held[0]!.shape[0]!);
      const key = keyOf(isFirst ? "first slot" : "slot", shape);
      return make(key, alike(shape, rows, positions.length), () => slotProgram(shape, isFirst), {
        ...fed(held),
        ...{ added, "position index": index(positions) },
      });
    },
    release,
  };
}
