import { expect, test } from "vitest";
import { itMatchesGolden } from "../../test/methods-golden.ts";
import { integer, randomKey } from "../core/random.ts";
import { countWords, drawLimit, type LengthLimit, limitFor, limitSentence } from "./length-limits.ts";

interface Bounds {
  readonly rows: readonly {
    readonly words: number;
    readonly kind: LengthLimit["kind"];
    readonly satisfied: boolean;
    readonly u: number;
    readonly bound: number;
  }[];
}

itMatchesGolden<Bounds>("rc_bounds", "the bound for a text of so many words", ({ rows }) => {
  expect(rows.map(({ kind, words, u, satisfied }) => limitFor(kind, words, u, satisfied).words)).toEqual(
    rows.map(({ bound }) => bound),
  );
});

const text = (words: number) => Array.from({ length: words }, (_, i) => (i % 3 === 0 ? "No," : "effusion")).join(" ");

const keepsLimit = (own: string, { kind, words }: LengthLimit) =>
  kind === "at_most" ? countWords(own) <= words : countWords(own) >= words;

test("every limit is kept, or broken, as asked: 10,000 texts under the same counter", () => {
  const kinds = { at_most: 0, at_least: 0 };
  for (let i = 0; i < 10_000; i++) {
    const own = text(3 + integer(randomKey(1, "words"), i, 200));
    for (const isKept of [true, false]) {
      const limit = drawLimit(own, isKept, randomKey(1, "limit", i, String(isKept)))!;
      expect(keepsLimit(own, limit), `${own.length} ${JSON.stringify(limit)}`).toBe(isKept);
      expect(limit.words).toBeGreaterThan(0);
      kinds[limit.kind]++;
    }
  }
  expect(Math.abs(kinds.at_most - kinds.at_least)).toBeLessThan(600);
});

test("a text of two words has no limit, and sentences name the bound in six wordings of each kind", () => {
  expect(drawLimit("left effusion", true, randomKey(1))).toBeNull();
  for (const kind of ["at_most", "at_least"] as const) {
    const said = Array.from({ length: 200 }, (_, i) => limitSentence({ kind, words: 17 }, randomKey(i)));
    expect(new Set(said).size).toBe(6);
    expect(said.every((sentence) => sentence.includes("17 words"))).toBe(true);
  }
  expect(limitSentence({ kind: "at_most", words: 1 }, randomKey(1))).toContain("1 word");
  expect(limitSentence({ kind: "at_most", words: 1 }, randomKey(1))).not.toContain("1 words");
});
