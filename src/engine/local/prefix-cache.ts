/**
 * Keys and values of sequences that ended at a stop text, for the prompts that go on from them: a turn then computes its own
 * tokens and not the whole prompt again. Valid under the weights that computed them.
 */
import type { Prompt } from "../../core/records.ts";
import type { SlotValues } from "./key-value-cache.ts";

/** The first tokens of a prompt, with their keys and values. */
export interface Prefix {
  readonly tokenIds: Int32Array;
  /** Content hashes, in order. */
  readonly images: readonly string[];
  readonly values: SlotValues;
}

/** More is not kept: those prompts are computed whole. */
export const PREFIX_BYTES = 512e6;

export class PrefixCache {
  readonly #limit: number;
  #bytes = 0;
  #kept: Prefix[] = [];

  /** `limit` in bytes; 0 keeps nothing. */
  constructor(limit = PREFIX_BYTES) {
    this.#limit = limit;
  }

  /** Whether there is room for so many bytes. */
  fits(bytes: number): boolean {
    return this.#bytes + bytes <= this.#limit;
  }

  keep(prefix: Prefix): void {
    this.#kept.push(prefix);
    this.#bytes += bytesOf(prefix);
  }

  /** The longest one that the prompt goes on from; null where there is none. */
  find({ tokenIds, images }: Prompt): Prefix | null {
    const fitting = this.#kept.filter(
      (kept) =>
        kept.tokenIds.length < tokenIds.length &&
        kept.images.length <= images.length &&
        kept.images.every((sha256, i) => sha256 === images[i]!.sha256) &&
        kept.tokenIds.every((id, t) => id === tokenIds[t]),
    );
    return fitting.reduce<Prefix | null>(
      (a, b) => (a !== null && a.tokenIds.length >= b.tokenIds.length ? a : b),
      null,
    );
  }

  /** Gives its memory free: a prompt has gone on from it. */
  drop(prefix: Prefix): void {
    this.#kept = this.#kept.filter((kept) => kept !== prefix);
    this.#bytes -= bytesOf(prefix);
  }

  clear(): void {
    this.#kept = [];
    this.#bytes = 0;
  }
}

function bytesOf({ values }: Prefix): number {
  return [...values.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
}
