import { expect, test } from "vitest";
import { float32 } from "../../core/tensor-data.ts";
import type { LanguageStack } from "../../models/model.ts";
import { KeyValueCache } from "./key-value-cache.ts";

const HEADS = 2;
const HEAD_DIM = 3;
const stack = { depth: 2, keyValueHeads: HEADS, headDim: HEAD_DIM } as LanguageStack;
const names = ["keys.0", "values.0", "keys.1", "values.1"];
const open = (lines: number, capacity: number) => new KeyValueCache(stack, { prefix: "past.", lines, capacity });

/** What a program returns of new tokens; every number tells its buffer, line, head, token and component. */
function newTokens(lines: number, tokens: number) {
  const size = lines * HEADS * tokens * HEAD_DIM;
  const data = names.flatMap((_, b) => Array.from({ length: size }, (_, i) => 1000 * (b + 1) + i));
  return float32([names.length * lines * HEADS, 1, tokens, HEAD_DIM], data);
}

/** The first positions of lines, from line 0 on. */
const firstOf = (lines: number) => Array.from({ length: lines }, (_, line) => ({ line, position: 0 }));

/** The components that stand at a position. */
function at(cache: KeyValueCache, name: string, line: number, head: number, position: number): number[] {
  const start = ((line * HEADS + head) * cache.capacity + position) * HEAD_DIM;
  return [...cache.first(cache.lines)[`past.${name}`]!.data.subarray(start, start + HEAD_DIM)];
}

/** The components of a token as a program returned it. */
function given(
  { data, shape }: ReturnType<typeof newTokens>,
  name: string,
  line: number,
  head: number,
  token: number,
): number[] {
  const lines = shape[0]! / (names.length * HEADS);
  const start = (((names.indexOf(name) * lines + line) * HEADS + head) * shape[2]! + token) * HEAD_DIM;
  return [...data.subarray(start, start + HEAD_DIM)];
}

const everywhere = names.flatMap((name) => [0, 1].map((head) => [name, head] as const));

test("first gives views of the first lines, one pair per layer, the same ones for the same count", () => {
  const cache = open(3, 5);
  const lines = cache.first(2);
  expect(Object.keys(lines)).toEqual(names.map((name) => `past.${name}`));
  expect(lines["past.keys.1"]!.shape).toEqual([2 * HEADS, 1, 5, HEAD_DIM]);
  lines["past.keys.1"]!.data[7] = 42;
  expect(cache.first(3)["past.keys.1"]!.data[7]).toBe(42);
  expect(cache.first(2)).toBe(lines);
});

test("write puts lines of new tokens at their places and nowhere else", () => {
  const cache = open(3, 5);
  const tokens = newTokens(2, 2);
  cache.write(tokens, [
    { line: 1, position: 3 },
    { line: 0, position: 1 },
  ]);
  for (const [name, head] of everywhere) {
    expect(at(cache, name, 1, head, 3)).toEqual(given(tokens, name, 0, head, 0));
    expect(at(cache, name, 1, head, 4)).toEqual(given(tokens, name, 0, head, 1));
    expect(at(cache, name, 1, head, 2)).toEqual([0, 0, 0]);
    expect(at(cache, name, 0, head, 1)).toEqual(given(tokens, name, 1, head, 0));
    expect(at(cache, name, 0, head, 2)).toEqual(given(tokens, name, 1, head, 1));
    for (const position of [0, 3]) expect(at(cache, name, 0, head, position)).toEqual([0, 0, 0]);
    expect(at(cache, name, 2, head, 0)).toEqual([0, 0, 0]);
  }
});

test("copy copies so many positions of a line and no more", () => {
  const cache = open(3, 4);
  const tokens = newTokens(3, 4);
  cache.write(tokens, firstOf(3));
  cache.copy(2, 0, 3);
  for (const [name, head] of everywhere) {
    for (const position of [0, 1, 2]) {
      expect(at(cache, name, 0, head, position)).toEqual(given(tokens, name, 2, head, position));
    }
    expect(at(cache, name, 0, head, 3)).toEqual(given(tokens, name, 0, head, 3));
    expect(at(cache, name, 1, head, 0)).toEqual(given(tokens, name, 1, head, 0));
  }
});

test("resize makes room behind what the used lines hold", () => {
  const cache = open(2, 2);
  const tokens = newTokens(2, 2);
  cache.write(tokens, firstOf(2));
  const before = cache.first(2);
  cache.resize({ lines: 4, capacity: 5 }, 2);
  expect([cache.lines, cache.capacity]).toEqual([4, 5]);
  expect(cache.first(2)).not.toBe(before);
  expect(cache.first(4)["past.keys.0"]!.shape).toEqual([4 * HEADS, 1, 5, HEAD_DIM]);
  for (const [name, head] of everywhere) {
    for (const line of [0, 1]) {
      for (const position of [0, 1]) {
        expect(at(cache, name, line, head, position)).toEqual(given(tokens, name, line, head, position));
      }
      expect(at(cache, name, line, head, 2)).toEqual([0, 0, 0]);
    }
    expect(at(cache, name, 3, head, 0)).toEqual([0, 0, 0]);
  }
  const views = cache.first(2);
  cache.resize({ lines: 4, capacity: 5 }, 2);
  expect(cache.first(2)).toBe(views);
});

test("resize to less keeps what fits of the used lines", () => {
  const cache = open(3, 4);
  const tokens = newTokens(3, 4);
  cache.write(tokens, firstOf(3));
  cache.resize({ lines: 2, capacity: 3 }, 1);
  expect(cache.first(2)["past.values.1"]!.shape).toEqual([2 * HEADS, 1, 3, HEAD_DIM]);
  for (const [name, head] of everywhere) {
    for (const position of [0, 1, 2]) {
      expect(at(cache, name, 0, head, position)).toEqual(given(tokens, name, 0, head, position));
    }
    expect(at(cache, name, 1, head, 0)).toEqual([0, 0, 0]);
  }
});

test("lineBytes are those of a line's buffers", () => {
  const views = Object.values(open(1, 7).first(1));
  expect(KeyValueCache.lineBytes(stack, 7)).toBe(views.reduce((total, { data }) => total + data.byteLength, 0));
});
