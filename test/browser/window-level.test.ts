import { expect, test } from "vitest";
import { presets } from "../../ui/parts/window-level.ts";
import type { Pixels } from "../../ui/source.ts";

/** Half the pixels are ground at 7; the others hold each value from 1,000 to 1,999 once. */
const data = Uint16Array.from({ length: 2000 }, (_, i) => (i < 1000 ? 7 : i));
const pixels: Pixels = { width: 50, height: 40, channels: 1, bits: 16, data };
const ends = (of: Pixels, modality: string, name: string) => {
  const { width, level } = presets(of, modality).find((one) => one.name === name)!.window;
  return [level - width / 2, level + width / 2].map(Math.round);
};

test("windows of a modality are shares of what is no ground", () => {
  expect(ends(pixels, "MRI", "soft tissue")).toEqual([1249, 1979]);
  expect(ends(pixels, " mr ", "dark structures")).toEqual([1001, 1600]); // levels are whole
  expect(ends(pixels, "", "2–98 %")[0]).toBe(7); // which takes all pixels
});

test("bright is bright where low values are white", () => {
  expect(ends({ ...pixels, inverse: true }, "DX", "lung fields")).toEqual([1399, 1979]);
  expect(ends(pixels, "X-Ray", "lung fields")).toEqual([1019, 1599]);
});

test.each([
  ["CT", { slope: 1, intercept: 0 }, ["abdomen", "lung", "liver", "bone", "brain"]],
  ["CT", {}, ["full range", "2–98 %", "dark half", "bright half"]],
  ["ultrasound", {}, ["full range", "2–98 %", "fluid", "bright echoes"]],
  ["pathology", {}, ["full range", "2–98 %", "dark half", "bright half"]],
])("%s of %o begins with %j", (modality, about, first) => {
  const found = presets({ ...pixels, ...about }, modality).map(({ name }) => name);
  expect(found.slice(0, first.length)).toEqual(first);
});

test("colours have no tissue", () => {
  const colour = { ...pixels, channels: 3 as const, bits: 8 as const, data: new Uint8Array(6000) };
  expect(presets(colour, "xr").map(({ name }) => name)).toEqual(["full range", "2–98 %"]);
});

test("an image of one value has its windows too", () => {
  const flat = { ...pixels, data: new Uint16Array(2000).fill(9) };
  for (const { window } of presets(flat, "mr")) expect(window.width).toBeGreaterThan(0);
});
