import { expect, test } from "vitest";
import { UserError } from "./errors.ts";
import { didYouMean, requireNamed } from "./suggest.ts";

const table = { slake: 1, vqa_rad: 2 };

test("a name of the table is given back, any other is a sentence with the nearest and all that are known", () => {
  expect(requireNamed("dataset", "slake", table)).toBe("slake");
  expect(() => requireNamed("dataset", "slke", table)).toThrow(
    new UserError('unknown dataset "slke" (did you mean "slake"?); known datasets: slake, vqa_rad'),
  );
  expect(() => requireNamed("dataset", "toString", table, "; or one of your own")).toThrow(
    new UserError('unknown dataset "toString"; known datasets: slake, vqa_rad; or one of your own'),
  );
});

test("where nothing is near, the other words stand", () => {
  expect(didYouMean("slke", ["slake"], "none")).toBe(' (did you mean "slake"?)');
  expect(didYouMean("zzzzzz", ["slake"], "none")).toBe("none");
});
