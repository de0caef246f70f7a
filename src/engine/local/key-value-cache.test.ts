import { expect, test } from "vitest";
import { float32 } from "../../core/tensor-data.ts";
import type { LanguageStack } from "../../models/model.ts";
import { KeyValueCache } from "./key-value-cache.ts";

const HEADS = 2;
const HEAD_DIM = 3;
const stack = { depth: 2, keyValueHeads: HEADS, headDim: HEAD_DIM } as LanguageStack;
const names = ["keys.0", "values.0", "keys.1", "values.1"];
const open = (slots: number, capacity: number) => new KeyValueCache(stack, { prefix: "past.", slots, capacity });

/** A program's output for new tokens; every value encodes its buffer, slot, head, token and component. */
function newTokens(slots: number, tokens: number) {
  const size = slots * HEADS * tokens * HEAD_DIM;
  const data = names.flatMap((_, b) => Array.from({ length: size }, (_, i) => 1000 * (b + 1) + i));
  return float32([names.length * slots * HEADS, 1, tokens, HEAD_DIM], data);
}

/** Position 0 of the first slots. */
const firstOf = (slots: number) => Array.from({ length: slots }, (_, slot) => ({ slot, position: 0 }));

/** The components at a position. */
function at(cache: KeyValueCache, name: string, slot: number, head: number, position: number): number[] {
  const start = ((slot * HEADS + head) * cache.capacity + position) * HEAD_DIM;
  return [...cache.first(cache.slots)[`past.${name}`]!.data.subarray(start, start + HEAD_DIM)];
}

/** The components of a token as returned by a program. */
function given(
  { data, shape }: ReturnType<typeof newTokens>,
  name: string,
  slot: number,
  head: number,
  token: number,
): number[] {
  const slots = shape[0]! / (names.length * HEADS);
  const start = (((names.indexOf(name) * slots + slot) * HEADS + head) * shape[2]! + token) * HEAD_DIM;
  return [...data.subarray(start, start + HEAD_DIM)];
}

const everywhere = names.flatMap((name) => [0, 1].map((head) => [name, head] as const));

test("first returns views of the first slots, one pair per layer, the same ones for the same count", () => {
  const cache = open(3, 5);
  const slots = cache.first(2);
  expect(Object.keys(slots)).toEqual(names.map((name) => `past.${name}`));
  expect(slots["past.keys.1"]!.shape).toEqual([2 * HEADS, 1, 5, HEAD_DIM]);
  slots["past.keys.1"]!.data[7] = 42;
  expect(cache.first(3)["past.keys.1"]!.data[7]).toBe(42);
  expect(cache.first(2)).toBe(slots);
});

test("write changes only the given positions", () => {
  const cache = open(3, 5);
  const tokens = newTokens(2, 2);
  cache.write(tokens, [
    { slot: 1, position: 3 },
    { slot: 0, position: 1 },
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

test("copy copies exactly the given number of positions of a slot", () => {
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

test("resize adds capacity and keeps the contents of used slots", () => {
  const cache = open(2, 2);
  const tokens = newTokens(2, 2);
  cache.write(tokens, firstOf(2));
  const before = cache.first(2);
  cache.resize({ slots: 4, capacity: 5 }, 2);
  expect([cache.slots, cache.capacity]).toEqual([4, 5]);
  expect(cache.first(2)).not.toBe(before);
  expect(cache.first(4)["past.keys.0"]!.shape).toEqual([4 * HEADS, 1, 5, HEAD_DIM]);
  for (const [name, head] of everywhere) {
    for (const slot of [0, 1]) {
      for (const position of [0, 1]) {
        expect(at(cache, name, slot, head, position)).toEqual(given(tokens, name, slot, head, position));
      }
      expect(at(cache, name, slot, head, 2)).toEqual([0, 0, 0]);
    }
    expect(at(cache, name, 3, head, 0)).toEqual([0, 0, 0]);
  }
  const views = cache.first(2);
  cache.resize({ slots: 4, capacity: 5 }, 2);
  expect(cache.first(2)).toBe(views);
});

test("shrinking keeps what fits of the used slots", () => {
  const cache = open(3, 4);
  const tokens = newTokens(3, 4);
  cache.write(tokens, firstOf(3));
  cache.resize({ slots: 2, capacity: 3 }, 1);
  expect(cache.first(2)["past.values.1"]!.shape).toEqual([2 * HEADS, 1, 3, HEAD_DIM]);
  for (const [name, head] of everywhere) {
    for (const position of [0, 1, 2]) {
      expect(at(cache, name, 0, head, position)).toEqual(given(tokens, name, 0, head, position));
    }
    expect(at(cache, name, 1, head, 0)).toEqual([0, 0, 0]);
  }
});

test("slotBytes equals the size of a slot's buffers", () => {
  const views = Object.values(open(1, 7).first(1));
  expect(KeyValueCache.slotBytes(stack, 7)).toBe(views.reduce((total, { data }) => total + data.byteLength, 0));
});
