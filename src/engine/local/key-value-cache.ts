/** Keys and values of many rows in fixed buffers [rows, keyValueHeads, capacity, headDim], one pair per layer. */
import { float32, type TensorData } from "../../core/tensor-data.ts";
import type { LanguageStack } from "../../models/model.ts";

export class KeyValueCache {
  readonly rows: number;
  readonly capacity: number;
  readonly #heads: number;
  readonly #headDim: number;
  readonly #buffers: ReadonlyMap<string, Float32Array>;
  readonly #views = new Map<number, Readonly<Record<string, TensorData>>>();

  constructor({ depth, keyValueHeads, headDim }: LanguageStack, rows: number, capacity: number) {
    this.rows = rows;
    this.capacity = capacity;
    this.#heads = keyValueHeads;
    this.#headDim = headDim;
    const size = rows * keyValueHeads * capacity * headDim;
    const names = Array.from({ length: depth }, (_, i) => [`keys.${i}`, `values.${i}`]).flat();
    this.#buffers = new Map(names.map((name) => [name, new Float32Array(size)]));
  }

  /** Bytes of one row. */
  static rowBytes({ depth, keyValueHeads, headDim }: LanguageStack, capacity: number): number {
    return 2 * depth * keyValueHeads * capacity * headDim * Float32Array.BYTES_PER_ELEMENT;
  }

  /** The first rows of every buffer, to be fed and fetched in place; the same views for the same count. */
  firstRows(count: number): Readonly<Record<string, TensorData>> {
    const known = this.#views.get(count);
    if (known !== undefined) return known;
    const shape = [count, this.#heads, this.capacity, this.#headDim];
    const size = count * this.#rowSize;
    const views = Object.fromEntries(
      [...this.#buffers].map(([name, data]) => [name, float32(shape, data.subarray(0, size))]),
    );
    this.#views.set(count, views);
    return views;
  }

  /** Copies the first `length` positions of a row of another cache into a row of this one. */
  load(row: number, from: KeyValueCache, fromRow = 0, length = from.capacity): void {
    for (const [name, target] of this.#buffers) {
      const source = from.#buffers.get(name)!;
      for (let head = 0; head < this.#heads; head++) {
        const start = fromRow * from.#rowSize + head * from.capacity * this.#headDim;
        const at = row * this.#rowSize + head * this.capacity * this.#headDim;
        target.set(source.subarray(start, start + length * this.#headDim), at);
      }
    }
  }

  /** Copies the first `length` positions of a row over another row. */
  copyRow(from: number, to: number, length: number): void {
    for (const buffer of this.#buffers.values()) {
      for (let head = 0; head < this.#heads; head++) {
        const offset = head * this.capacity * this.#headDim;
        const start = from * this.#rowSize + offset;
        buffer.copyWithin(to * this.#rowSize + offset, start, start + length * this.#headDim);
      }
    }
  }

  get #rowSize(): number {
    return this.#heads * this.capacity * this.#headDim;
  }
}
