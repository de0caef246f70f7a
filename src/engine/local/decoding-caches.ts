/**
 * The keys and values that decoding reads: those of every prompt once, and those of each row's own tokens. Room is made for
 * prompts and rows that join, within a budget of bytes.
 */
import type { LanguageStack } from "../../models/model.ts";
import { KeyValueCache } from "./key-value-cache.ts";

export interface CacheOptions {
  /** Completions decoded at the same time. */
  readonly rows: number;
  /** Prompts decoded at the same time; by default a prompt for every row. */
  readonly prompts?: number;
  /** Positions that there are for every prompt at least. */
  readonly promptCapacity?: number;
  /** Bytes that keys and values of all rows may take, though one row always fits; fewer rows fit where jobs are long. */
  readonly cacheBytes: number;
}

/** Slots that are in use, those of `prompts` and those of `rows`. */
export interface CacheUse {
  readonly prompts: number;
  readonly rows: number;
}

/** Room for so many positions more than needed is given back rarely, since every slot is copied for it. */
const SPARE_POSITIONS = 256;

export class DecodingCaches {
  readonly prompts: KeyValueCache;
  readonly rows: KeyValueCache;
  readonly #language: LanguageStack;
  readonly #o: CacheOptions;

  constructor(language: LanguageStack, o: CacheOptions) {
    this.#language = language;
    this.#o = o;
    this.prompts = new KeyValueCache(language, { prefix: "prompt.", slots: 0, capacity: 1 });
    this.rows = new KeyValueCache(language, { prefix: "past.", slots: 0, capacity: 1 });
  }

  /**
   * Whether one more row fits, and makes room for it and for a prompt of its own. `longest` are the tokens of the longest
   * prompt and of the longest completion that any of them may come to, the new row's included.
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

  /** Makes every row as long as the longest needs, with room to grow to `limit` positions. */
  fitRows(used: number, needed: number, limit: number): void {
    const { slots, capacity } = this.rows;
    const wanted = Math.min(2 * needed + 14, limit);
    if (needed > capacity || capacity > 2 * wanted + SPARE_POSITIONS) {
      this.rows.resize({ slots, capacity: wanted }, used);
    }
  }
}
