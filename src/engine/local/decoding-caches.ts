/**
 * The KV caches of decoding: every prompt's once, and each row's own tokens. Capacity grows as prompts and rows join,
 * within a budget of bytes.
 */
import type { LanguageStack } from "../../models/model.ts";
import type { Arrays } from "./arrays/arrays.ts";
import { deviceCache } from "./device-cache.ts";
import { KeyValueCache, type KeyValueSlots } from "./key-value-cache.ts";

export interface CacheOptions {
  /** Maximum number of completions decoded concurrently. */
  readonly rows: number;
  /** Maximum number of prompts decoded concurrently; default one per row. */
  readonly prompts?: number;
  /** Minimum capacity per prompt, in positions. */
  readonly promptCapacity?: number;
  /**
   * Memory limit for the KV caches of all rows, in bytes. One row always fits; longer jobs reduce the number of rows.
   */
  readonly cacheBytes: number;
}

/** Slots in use, of prompts and of rows. */
export interface CacheUse {
  readonly prompts: number;
  readonly rows: number;
}

/** Unused positions beyond this many are released, and no fewer, since every slot is copied for it. */
const SPARE_POSITIONS = 256;

export class DecodingCaches {
  readonly prompts: KeyValueSlots;
  readonly rows: KeyValueSlots;
  readonly #language: LanguageStack;
  readonly #o: CacheOptions;

  /** Where `arrays` has caches of its own they lie there. */
  constructor(language: LanguageStack, o: CacheOptions, arrays: Arrays | null = null) {
    this.#language = language;
    this.#o = o;
    const open = (prefix: string): KeyValueSlots =>
      arrays === null || arrays.caches === null
        ? new KeyValueCache(language, { prefix, slots: 0, capacity: 1 })
        : deviceCache(language, prefix, arrays);
    this.prompts = open("prompt.");
    this.rows = open("past.");
  }

  release(): void {
    this.prompts.release();
    this.rows.release();
  }

  /**
   * Whether one more row fits; if so, makes room for it and for its own prompt. `longest` has the tokens of the longest
   * prompt and the maximum length of any completion, including the new row's.
   */
  makeRoom(used: CacheUse, longest: { readonly prompt: number; readonly completion: number }): boolean {
    const { prompts, rows } = this;
    const bytesOf = (positions: number) => KeyValueCache.slotBytes(this.#language, positions);
    const fitting = Math.floor(this.#o.cacheBytes / bytesOf(longest.prompt + longest.completion));
    const most = Math.max(1, Math.min(this.#o.rows, fitting));
    if (used.rows >= most) return false;
    const slots = Math.min(most, this.#o.prompts ?? most);
    const capacity = Math.max(longest.prompt, this.#o.promptCapacity ?? 0);
    const isTooSmall = prompts.slots <= used.prompts || rows.slots <= used.rows || prompts.capacity < capacity;
    const bytes = rows.slots * bytesOf(prompts.capacity + Math.max(rows.capacity, longest.completion));
    const isTooLarge = bytes > this.#o.cacheBytes || prompts.capacity > 2 * capacity + SPARE_POSITIONS;
    if (isTooSmall || isTooLarge) {
      rows.resize({ slots: most, capacity: Math.min(rows.capacity, longest.completion) }, used.rows);
      prompts.resize({ slots, capacity }, used.prompts);
    }
    return true;
  }

  /** Gives every row the capacity that the longest needs, with room to grow up to `limit` positions. */
  fitRows(used: number, needed: number, limit: number): void {
    const { slots, capacity } = this.rows;
    const wanted = Math.min(2 * needed + 14, limit);
    if (needed > capacity || capacity > 2 * wanted + SPARE_POSITIONS) {
      this.rows.resize({ slots, capacity: wanted }, used);
    }
  }
}
