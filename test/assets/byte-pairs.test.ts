import { describe, expect, it } from "vitest";
import { BYTE_ALPHABET, trainBytePairs } from "../../scripts/tokenizer/bpe.ts";
import { UserError } from "../../src/core/errors.ts";
import { integer, randomKey } from "../../src/core/random.ts";

const letters = ["a", "b", "c"];

describe("trainBytePairs", () => {
  it("merges the commonest pair first, and of equal ones that of the lowest ids", () => {
    const { merges, tokens } = trainBytePairs(
      new Map([
        ["bcab", 2],
        ["ca", 1],
        ["cb", 2],
      ]),
      6,
      letters,
    );
    // ca 3, then ab, bc, cb 2 each: after "ca" is one token, b+ca (2), ca+b (2), c+b (2); b is token 1, c 2, ca 3.
    expect(merges).toEqual([
      ["c", "a"],
      ["b", "ca"],
      ["c", "b"],
    ]);
    expect(tokens).toEqual([...letters, "ca", "bca", "cb"]);
  });

  it("merges runs from the left", () => {
    expect(trainBytePairs(new Map([["aaa", 1]]), 5, letters).merges).toEqual([
      ["a", "a"],
      ["aa", "a"],
    ]);
  });

  it("finds what counting anew before every merge finds", () => {
    const key = randomKey(3);
    const words = new Map(
      Array.from({ length: 60 }, (_, i) => [
        Array.from({ length: 1 + (i % 9) }, (_, j) => letters[integer(key, 10 * i + j, 3)]!).join(""),
        1 + (i % 4),
      ]),
    );
    const trained = trainBytePairs(words, 40, letters);
    expect(trained).toEqual(countAnew(words, 40));
    expect(trained.tokens).toHaveLength(40);
  });

  it("says so when the texts have too few pairs", () => {
    expect(() => trainBytePairs(new Map([["ab", 1]]), 5, letters)).toThrow(UserError);
    expect(() => trainBytePairs(new Map([["ab", 1]]), 5, letters)).toThrow(/only 4 tokens, 5 were asked for/);
  });

  it("starts from the 256 bytes", () => {
    expect(new Set(BYTE_ALPHABET).size).toBe(256);
    expect([BYTE_ALPHABET[0], BYTE_ALPHABET.indexOf("Ġ"), BYTE_ALPHABET.at(-1)]).toEqual(["!", 220, "Ń"]);
  });
});

/** The definition, without any book-keeping. */
function countAnew(words: ReadonlyMap<string, number>, size: number) {
  const tokens = [...letters];
  const merges: [string, string][] = [];
  let split = Array.from(words, ([word, count]) => ({ parts: [...word], count }));
  while (tokens.length < size) {
    const pairs = new Map<string, { left: number; right: number; count: number }>();
    for (const { parts, count } of split) {
      for (let i = 1; i < parts.length; i++) {
        const [left, right] = [tokens.indexOf(parts[i - 1]!), tokens.indexOf(parts[i]!)];
        const pair = pairs.get(`${left} ${right}`) ?? { left, right, count: 0 };
        pairs.set(`${left} ${right}`, { ...pair, count: pair.count + count });
      }
    }
    const [best] = [...pairs.values()].sort((a, b) => b.count - a.count || a.left - b.left || a.right - b.right);
    const [left, right] = [tokens[best!.left]!, tokens[best!.right]!];
    merges.push([left, right]);
    if (!tokens.includes(left + right)) tokens.push(left + right);
    split = split.map(({ parts, count }) => {
      const joined: string[] = [];
      for (let i = 0; i < parts.length; i++) {
        if (parts[i] === left && parts[i + 1] === right) {
          joined.push(left + right);
          i++;
        } else joined.push(parts[i]!);
      }
      return { parts: joined, count };
    });
  }
  return { tokens, merges };
}
