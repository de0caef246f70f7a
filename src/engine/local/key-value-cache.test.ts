import { expect, test } from "vitest";
import type { LanguageStack } from "../../models/model.ts";
import { KeyValueCache } from "./key-value-cache.ts";

const stack = { depth: 2, keyValueHeads: 2, headDim: 3 } as LanguageStack;

/** Every number tells its buffer, row, head, position and component. */
function fill(cache: KeyValueCache, salt: number): void {
  for (const [b, [, { data, shape }]] of Object.entries(cache.firstRows(cache.rows)).entries()) {
    const [, heads, capacity, headDim] = shape as [number, number, number, number];
    for (let i = 0; i < data.length; i++) {
      const [d, p, h] = [i % headDim, Math.floor(i / headDim) % capacity, Math.floor(i / headDim / capacity) % heads];
      const row = Math.floor(i / headDim / capacity / heads);
      data[i] = salt + 10_000 * b + 1000 * row + 100 * h + 10 * p + d;
    }
  }
}
const at = (cache: KeyValueCache, name: string, row: number, head: number, position: number) => {
  const { data } = cache.firstRows(cache.rows)[name]!;
  const start = ((row * 2 + head) * cache.capacity + position) * 3;
  return [...data.subarray(start, start + 3)];
};
const names = ["keys.0", "values.0", "keys.1", "values.1"];

test("firstRows are views of the first rows, one pair per layer", () => {
  const cache = new KeyValueCache(stack, 3, 5);
  const rows = cache.firstRows(2);
  expect(Object.keys(rows)).toEqual(names);
  expect(rows["keys.1"]!.shape).toEqual([2, 2, 5, 3]);
  rows["keys.1"]!.data[7] = 42;
  expect(cache.firstRows(3)["keys.1"]!.data[7]).toBe(42);
});

test("load puts a shorter cache's row at the front of every head", () => {
  const cache = new KeyValueCache(stack, 2, 5);
  const prompt = new KeyValueCache(stack, 1, 2);
  fill(cache, 0.5);
  fill(prompt, 0);
  cache.load(1, prompt);
  for (const name of names) {
    for (const head of [0, 1]) {
      for (const position of [0, 1]) {
        expect(at(cache, name, 1, head, position)).toEqual(at(prompt, name, 0, head, position));
      }
      expect(at(cache, name, 1, head, 2)[0]! % 1).toBe(0.5);
      expect(at(cache, name, 0, head, 0)[0]! % 1).toBe(0.5);
    }
  }
});

test("load takes any row of a cache of another capacity, as far as is asked", () => {
  const cache = new KeyValueCache(stack, 2, 3);
  const larger = new KeyValueCache(stack, 3, 7);
  fill(cache, 0.5);
  fill(larger, 0);
  cache.load(0, larger, 2, 2);
  for (const name of names) {
    for (const head of [0, 1]) {
      for (const position of [0, 1]) {
        expect(at(cache, name, 0, head, position)).toEqual(at(larger, name, 2, head, position));
      }
      expect(at(cache, name, 0, head, 2)[0]! % 1).toBe(0.5);
      expect(at(cache, name, 1, head, 0)[0]! % 1).toBe(0.5);
    }
  }
});

test("copyRow copies so many positions of a row and no more", () => {
  const cache = new KeyValueCache(stack, 3, 4);
  fill(cache, 0);
  const before = names.map((name) => [0, 1].map((head) => at(cache, name, 0, head, 3)));
  cache.copyRow(2, 0, 3);
  for (const [n, name] of names.entries()) {
    for (const head of [0, 1]) {
      for (const position of [0, 1, 2]) {
        expect(at(cache, name, 0, head, position)).toEqual(at(cache, name, 2, head, position));
      }
      expect(at(cache, name, 0, head, 3)).toEqual(before[n]![head]);
      expect(at(cache, name, 1, head, 0)).not.toEqual(at(cache, name, 2, head, 0));
    }
  }
});
