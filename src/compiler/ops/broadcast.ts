/** NumPy broadcasting: result shapes, and iteration over broadcast operands. */
import { broadcastStrides, sizeOf } from "../../core/tensor-data.ts";
import { type Dim, formatShape } from "../spec.ts";

/** The broadcast shape of the operands; sizes are numbers at run time, possibly symbolic in the graph. */
export function broadcastShapes<D extends Dim>(what: string, shapes: readonly (readonly D[])[]): D[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let result: D = 1 as D;
    for (const shape of shapes) {
      const dim = shape[axis - rank + shape.length] ?? (1 as D);
      if (dim === 1 || dim === result) continue;
      if (result !== 1) throw new Error(`${what}: shapes do not broadcast: ${shapes.map(formatShape).join(" and ")}`);
      result = dim;
    }
    return result;
  });
}

/** Calls `visit` with the offset into each operand for every element of the output shape, in row-major order. */
export function walkBroadcast(
  shape: readonly number[],
  operands: readonly (readonly number[])[],
  visit: (out: number, offsets: readonly number[]) => void,
): void {
  const rank = shape.length;
  const strides = operands.map((operand) => {
    const own = broadcastStrides(operand);
    return Array.from({ length: rank }, (_, axis) => own[axis - rank + operand.length] ?? 0);
  });
  const index = new Array<number>(rank).fill(0);
  const offsets = operands.map(() => 0);
  const total = sizeOf(shape);
  for (let out = 0; out < total; out++) {
    visit(out, offsets);
    for (let axis = rank - 1; axis >= 0; axis--) {
      index[axis]!++;
      for (let k = 0; k < offsets.length; k++) offsets[k]! += strides[k]![axis]!;
      if (index[axis]! < shape[axis]!) break;
      for (let k = 0; k < offsets.length; k++) offsets[k]! -= strides[k]![axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
}
