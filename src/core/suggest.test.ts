import { expect, test } from "vitest";
import { UserError } from "./errors.ts";
import { didYouMean, requireNamed } from "./suggest.ts";

const table = { slake: 1, vqa_rad: 2 };

test("returns a known name, else throws an error with the nearest and all known names", () => {
  expect(requireNamed("dataset", "slake", table)).toBe("slake");
  expect(() => requireNamed("dataset", "slke", table)).toThrow(
    new UserError('unknown dataset "slke" (did you mean "slake"?); known datasets: slake, vqa_rad'),
  );
  expect(() => requireNamed("dataset", "toString", table, "; or one of your own")).toThrow(
    new UserError('unknown dataset "toString"; known datasets: slake, vqa_rad; or one of your own'),
  );
});

test("falls back to the alternative text where no name is near", () => {
  expect(didYouMean("slke", ["slake"], "none")).toBe(' (did you mean "slake"?)');
  expect(didYouMean("zzzzzz", ["slake"], "none")).toBe("none");
});
