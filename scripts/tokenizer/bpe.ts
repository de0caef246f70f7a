/** Learns byte-pair merges from word counts: the most frequent pair first; ties go to the lowest ids. */
import { UserError } from "../../src/core/errors.ts";

export interface BytePairs {
  /** By id: the alphabet, then the result of each merge (a text produced twice has one id). */
  readonly tokens: readonly string[];
  /** In order of application. */
  readonly merges: readonly (readonly [string, string])[];
}

interface Word {
  /** Ids of the tokens that the word currently consists of. */
  ids: readonly number[];
  readonly count: number;
}

/** The 256 characters that byte-level BPE represents bytes with, by code point; a token's id is its index. */
export const BYTE_ALPHABET: readonly string[] = byteAlphabet();

/**
 * Merges until there are `size` tokens. `words` maps words, in characters of the alphabet, to their counts. Throws
 * UserError if there are too few pairs. Equals Hugging Face's `BpeTrainer` on the same words.
 */
export function trainBytePairs(
  counts: ReadonlyMap<string, number>,
  size: number,
  alphabet: readonly string[] = BYTE_ALPHABET,
): BytePairs {
  const tokens = [...alphabet];
  const idOf = new Map(tokens.map((token, id) => [token, id]));
  const words = Array.from(counts, ([text, count]): Word => ({ ids: Array.from(text, (c) => known(idOf, c)), count }));
  const pairs = new PairCounts();
  words.forEach((word, at) => {
    pairs.add(word, at, 1);
  });

  const merges: (readonly [string, string])[] = [];
  while (tokens.length < size) {
    const best = pairs.commonest();
    if (best === null) throw new UserError(`the texts give only ${tokens.length} tokens, ${size} were asked for`);
    const [left, right] = best;
    const merged = tokens[left]! + tokens[right]!;
    merges.push([tokens[left]!, tokens[right]!]);
    const id = idOf.get(merged) ?? tokens.push(merged) - 1;
    idOf.set(merged, id);
    for (const at of pairs.wordsWith(left, right)) {
      const word = words[at]!;
      pairs.add(word, at, -1);
      word.ids = join(word.ids, left, right, id);
      pairs.add(word, at, 1);
    }
  }
  return { tokens, merges };
}

/** Counts of each pair of neighbours, and the words it ever occurred in. */
class PairCounts {
  readonly #counts = new Map<number, number>();
  readonly #words = new Map<number, Set<number>>();

  /** Adds (sign 1) or subtracts (-1) the pairs of the word at index `at`. */
  add({ ids, count }: Word, at: number, sign: 1 | -1): void {
    for (let i = 1; i < ids.length; i++) {
      const key = ids[i - 1]! * STRIDE + ids[i]!;
      const total = (this.#counts.get(key) ?? 0) + sign * count;
      if (total > 0) this.#counts.set(key, total);
      else this.#counts.delete(key);
      if (sign < 0) continue;
      const words = this.#words.get(key);
      if (words === undefined) this.#words.set(key, new Set([at]));
      else words.add(at);
    }
  }

  commonest(): readonly [number, number] | null {
    let best = -1;
    let most = 0;
    for (const [key, count] of this.#counts) {
      if (count > most || (count === most && key < best)) [best, most] = [key, count];
    }
    return most === 0 ? null : [Math.floor(best / STRIDE), best % STRIDE];
  }

  wordsWith(left: number, right: number): readonly number[] {
    return [...(this.#words.get(left * STRIDE + right) ?? [])];
  }
}

/** Larger than any id, so that a pair's key sorts by the left id, then the right. */
const STRIDE = 2 ** 26;

/** Replaces the pair from left to right: of three equal tokens, the first two are merged. */
function join(ids: readonly number[], left: number, right: number, merged: number): readonly number[] {
  const joined: number[] = [];
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] === left && ids[i + 1] === right) {
      joined.push(merged);
      i++;
    } else joined.push(ids[i]!);
  }
  return joined;
}

function known(idOf: ReadonlyMap<string, number>, character: string): number {
  const id = idOf.get(character);
  if (id === undefined) throw new Error(`trainBytePairs: ${JSON.stringify(character)} is not in the alphabet`);
  return id;
}

/** GPT-2's table: printable Latin-1 bytes map to themselves, others to characters from U+0100 on. */
function byteAlphabet(): readonly string[] {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  const own = bytes.filter(printable);
  const shifted = Array.from({ length: 256 - own.length }, (_, i) => 0x100 + i);
  return [...own, ...shifted].map((code) => String.fromCodePoint(code));
}
