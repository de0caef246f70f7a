import { expect, test } from "vitest";
import { float32 } from "../../core/tensor-data.ts";
import type { LanguageStack } from "../../models/model.ts";
import { DecodingCaches } from "./decoding-caches.ts";
import { KeyValueCache } from "./key-value-cache.ts";

const stack = { depth: 1, keyValueHeads: 1, headDim: 2 } as LanguageStack;
const bytesOf = (positions: number) => KeyValueCache.slotBytes(stack, positions);
const sizes = ({ prompts, rows }: DecodingCaches) => [prompts.slots, prompts.capacity, rows.slots, rows.capacity];
/** New keys and values of one slot and one token. */
const tokens = (value: number) => float32([2, 1, 1, 2], [value, value, value, value]);

test("as many rows fit as the budget allows with a prompt each, and always at least one", () => {
  const longest = { prompt: 10, completion: 20 };
  const most = (cacheBytes: number, rows = 4) => {
    const caches = new DecodingCaches(stack, { rows, cacheBytes });
    return [0, 1, 2, 3, 4, 5].filter((used) => caches.makeRoom({ prompts: used, rows: used }, longest)).length;
  };
  expect(most(Infinity)).toBe(4);
  expect(most(3 * bytesOf(30))).toBe(3);
  expect(most(3 * bytesOf(30) - 1)).toBe(2);
  expect(most(1)).toBe(1);
});

test("prompts have the capacity of the longest, rows grow as needed", () => {
  const caches = new DecodingCaches(stack, { rows: 8, prompts: 2, promptCapacity: 12, cacheBytes: Infinity });
  caches.makeRoom({ prompts: 0, rows: 0 }, { prompt: 10, completion: 40 });
  expect(sizes(caches)).toEqual([2, 12, 8, 1]);
  caches.fitRows(1, 1, 40);
  expect(caches.rows.capacity).toBe(1);
  caches.fitRows(1, 2, 40);
  expect(caches.rows.capacity).toBe(18);
  caches.fitRows(1, 19, 40);
  expect(caches.rows.capacity).toBe(40);
  caches.makeRoom({ prompts: 1, rows: 1 }, { prompt: 15, completion: 40 });
  expect(sizes(caches)).toEqual([2, 15, 8, 40]);
});

test("a longer job reduces the number of rows and keeps those in use", () => {
  const caches = new DecodingCaches(stack, { rows: 8, cacheBytes: 8 * bytesOf(30) });
  const used = { prompts: 1, rows: 1 };
  caches.makeRoom({ prompts: 0, rows: 0 }, { prompt: 10, completion: 20 });
  expect(sizes(caches)).toEqual([8, 10, 8, 1]);
  caches.prompts.write(tokens(5), [{ slot: 0, position: 9 }]);
  caches.rows.write(tokens(6), [{ slot: 0, position: 0 }]);
  expect(caches.makeRoom(used, { prompt: 50, completion: 20 })).toBe(true);
  expect(sizes(caches)).toEqual([3, 50, 3, 1]);
  expect([...caches.prompts.first(1)["prompt.keys.0"]!.data.subarray(18, 20)]).toEqual([5, 5]);
  expect([...caches.rows.first(1)["past.values.0"]!.data]).toEqual([6, 6]);
});

test("rows that can still grow never exceed the budget", () => {
  const caches = new DecodingCaches(stack, { rows: 8, cacheBytes: 8 * bytesOf(30) });
  caches.makeRoom({ prompts: 0, rows: 0 }, { prompt: 10, completion: 20 });
  caches.makeRoom({ prompts: 1, rows: 1 }, { prompt: 5, completion: 25 });
  caches.fitRows(2, 20, 25);
  expect(sizes(caches)).toEqual([8, 5, 8, 25]);
});

test("unused capacity is released", () => {
  const caches = new DecodingCaches(stack, { rows: 2, cacheBytes: Infinity });
  const none = { prompts: 0, rows: 0 };
  caches.makeRoom(none, { prompt: 1000, completion: 900 });
  caches.fitRows(1, 800, 900);
  expect(sizes(caches)).toEqual([2, 1000, 2, 900]);
  caches.makeRoom(none, { prompt: 372, completion: 900 });
  expect(caches.prompts.capacity).toBe(1000);
  caches.makeRoom(none, { prompt: 371, completion: 900 });
  expect(caches.prompts.capacity).toBe(371);
  caches.fitRows(1, 200, 900);
  expect(caches.rows.capacity).toBe(900);
  caches.fitRows(1, 100, 900);
  expect(caches.rows.capacity).toBe(214);
});
