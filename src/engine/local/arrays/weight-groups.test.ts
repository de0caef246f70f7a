import { expect, test } from "vitest";
import { weightGroups } from "./weight-groups.ts";

const weight = (...shape: readonly number[]) => ({ weight: { dtype: "float32", shape } }) as const;

test("neighbours share a program up to 64 MB, and a larger weight has its own", () => {
  const [half, more, small] = [weight(8_000_000), weight(4000, 5000), weight(10, 10)];
  expect(weightGroups([])).toEqual([]);
  expect(weightGroups([half, half, small])).toEqual([[half, half], [small]]);
  expect(weightGroups([small, more, small, half])).toEqual([[small], [more], [small, half]]);
});
