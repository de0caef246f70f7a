/**
 * Keys and values of many slots (prompts, or rows of own tokens) in buffers [slots x keyValueHeads, 1, capacity,
 * headDim], one pair per layer. Programs read them in place; new tokens' keys and values are written here.
 */
import { float32, type TensorData } from "../../core/tensor-data.ts";
import type { LanguageStack } from "../../models/model.ts";

/**
 * Keys and values of new tokens as returned by programs: [2 x depth x slots x keyValueHeads, 1, tokens, headDim], for
 * each layer the keys, then the values.
 */
export type NewTokens = TensorData;

/** A position of a slot. */
export interface Place {
  readonly slot: number;
  readonly position: number;
}

/** By buffer, what a slot holds of its first positions: [keyValueHeads, positions, headDim]. */
export type SlotValues = ReadonlyMap<string, Float32Array>;

/** The slots of a cache, wherever they lie. */
export interface KeyValueSlots {
  readonly slots: number;
  readonly capacity: number;
  first(count: number): Readonly<Record<string, TensorData>>;
  write(added: NewTokens, places: readonly Place[]): void;
  /** `then` is a cache of the same kind. */
  read(slot: number, length: number, then: KeyValueSlots, from: number, more: number): SlotValues;
  restore(slot: number, values: SlotValues, length: number): void;
  copy(from: number, to: number, length: number): void;
  resize(to: { readonly slots: number; readonly capacity: number }, used: number): void;
  release(): void;
}

export class KeyValueCache implements KeyValueSlots {
  #slots: number;
  #capacity: number;
  readonly #prefix: string;
  readonly #heads: number;
  readonly #headDim: number;
  readonly #names: readonly string[];
  #buffers: ReadonlyMap<string, Float32Array>;
  readonly #views = new Map<number, Readonly<Record<string, TensorData>>>();

  /** `prefix` precedes "keys.i" in the names of the views. */
  constructor(
    { depth, keyValueHeads, headDim }: LanguageStack,
    o: { readonly prefix: string; readonly slots: number; readonly capacity: number },
  ) {
    this.#slots = o.slots;
    this.#capacity = o.capacity;
    this.#prefix = o.prefix;
    this.#heads = keyValueHeads;
    this.#headDim = headDim;
    this.#names = Array.from({ length: depth }, (_, i) => [`keys.${i}`, `values.${i}`]).flat();
    this.#buffers = this.#allocate();
  }

  /** Bytes of one slot. */
  static slotBytes({ depth, keyValueHeads, headDim }: LanguageStack, capacity: number): number {
    return 2 * depth * keyValueHeads * capacity * headDim * Float32Array.BYTES_PER_ELEMENT;
  }

  get slots(): number {
    return this.#slots;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** The first slots of every buffer; the same views for the same count until the cache is resized. */
  first(count: number): Readonly<Record<string, TensorData>> {
    const known = this.#views.get(count);
    if (known !== undefined) return known;
    const shape = [count * this.#heads, 1, this.#capacity, this.#headDim];
    const views = Object.fromEntries(
      [...this.#buffers].map(([name, data]) => {
        return [this.#prefix + name, float32(shape, data.subarray(0, count * this.#slotSize))];
      }),
    );
    this.#views.set(count, views);
    return views;
  }

  /** Writes each slot of new tokens at its place, from that position on. */
  write({ shape, data }: NewTokens, places: readonly Place[]): void {
    const added = shape[2]! * this.#headDim;
    let source = 0;
    for (const target of this.#buffers.values()) {
      for (const { slot, position } of places) {
        for (let head = 0; head < this.#heads; head++) {
          const at = slot * this.#slotSize + (head * this.#capacity + position) * this.#headDim;
          for (let i = 0; i < added; i++) target[at + i] = data[source + i]!;
          source += added;
        }
      }
    }
  }

  /** A copy of the first `length` positions of a slot, and of `more` positions of a slot of `then` behind them. */
  read(slot: number, length: number, then: this, from: number, more: number): SlotValues {
    const size = (length + more) * this.#headDim;
    const copies = [...this.#buffers].map(([name, data]) => {
      const copy = new Float32Array(this.#heads * size);
      for (let head = 0; head < this.#heads; head++) {
        const start = this.#startOf(slot, head);
        copy.set(data.subarray(start, start + length * this.#headDim), head * size);
        const behind = then.#startOf(from, head);
        const own = then.#buffers.get(name)!.subarray(behind, behind + more * this.#headDim);
        copy.set(own, head * size + length * this.#headDim);
      }
      return [name, copy] as const;
    });
    return new Map(copies);
  }

  /** Writes what `read` gave to the first `length` positions of a slot. */
  restore(slot: number, values: SlotValues, length: number): void {
    const size = length * this.#headDim;
    for (const [name, target] of this.#buffers) {
      for (let head = 0; head < this.#heads; head++) {
        target.set(values.get(name)!.subarray(head * size, (head + 1) * size), this.#startOf(slot, head));
      }
    }
  }

  /** The host's memory is given free with the cache. */
  release(): void {}

  #startOf(slot: number, head: number): number {
    return slot * this.#slotSize + head * this.#capacity * this.#headDim;
  }

  /** Copies the first `length` positions of a slot over another slot. */
  copy(from: number, to: number, length: number): void {
    for (const buffer of this.#buffers.values()) this.#copySlot(buffer, this.#capacity, from, buffer, to, length);
  }

  /** Changes the number of slots and of positions; keeps what fits of the first `used` slots. */
  resize({ slots, capacity }: { readonly slots: number; readonly capacity: number }, used: number): void {
    if (slots === this.#slots && capacity === this.#capacity) return;
    const [old, before] = [this.#buffers, this.#capacity];
    this.#slots = slots;
    this.#capacity = capacity;
    this.#buffers = this.#allocate();
    this.#views.clear();
    const length = Math.min(before, capacity);
    for (const [name, source] of old) {
      const target = this.#buffers.get(name)!;
      for (let slot = 0; slot < used; slot++) this.#copySlot(source, before, slot, target, slot, length);
    }
  }

  #allocate(): ReadonlyMap<string, Float32Array> {
    return new Map(this.#names.map((name) => [name, new Float32Array(this.#slots * this.#slotSize)]));
  }

  #copySlot(
    source: Float32Array,
    sourceCapacity: number,
    from: number,
    target: Float32Array,
    to: number,
    length: number,
  ): void {
    for (let head = 0; head < this.#heads; head++) {
      const start = (from * this.#heads + head) * sourceCapacity * this.#headDim;
      const at = (to * this.#heads + head) * this.#capacity * this.#headDim;
      target.set(source.subarray(start, start + length * this.#headDim), at);
    }
  }

  get #slotSize(): number {
    return this.#heads * this.#capacity * this.#headDim;
  }
}
