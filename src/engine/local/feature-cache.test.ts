import { expect, test } from "vitest";
import { FeatureCache } from "./feature-cache.ts";

const features = (count: number) => new Float32Array(count);

test("evicts the least recently used first, within the bound", () => {
  const cache = new FeatureCache(4 * 10);
  cache.set("a", features(4));
  cache.set("b", features(4));
  cache.get("a");
  cache.set("c", features(4));
  expect([cache.get("a"), cache.get("b"), cache.get("c")].map((found) => found?.length)).toEqual([4, undefined, 4]);
  expect(cache.bytes).toBe(32);
});

test("an image stored again counts once; one larger than the bound is not stored", () => {
  const cache = new FeatureCache(4 * 10);
  cache.set("a", features(4));
  cache.set("a", features(6));
  expect(cache.bytes).toBe(24);
  cache.set("b", features(11));
  expect([cache.get("a"), cache.get("b"), cache.bytes]).toEqual([undefined, undefined, 0]);
});
