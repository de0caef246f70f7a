/** The int8 benchmark program computes its definition; spreads are quartiles. */
import { expect, test } from "vitest";
import { interpret } from "../../compiler/interpret.ts";
import { float32 } from "../../core/tensor-data.ts";
import { CompiledProgram } from "../../runtime/session.ts";
import { int8Program } from "./machine-speed.ts";
import { speeds } from "./time-program.ts";

test("the int8 matmul = its definition", async () => {
  const x = float32([1024, 1024], new Float32Array(1024 * 1024).fill(0));
  for (let row = 0; row < 1024; row++) x.data[row * 1024 + (row % 7)] = row % 5;
  const session = await CompiledProgram.compile(int8Program(), { threads: 1 });
  const { y } = await session.run({ x });
  await session.release();
  const expected = interpret(int8Program(), { x })["y"]!;
  for (const row of [0, 1, 6, 500, 1023]) expect(y!.data[row * 1024 + 3]).toBeCloseTo(expected.data[row * 1024]!, 4);
  expect(expected.data[6 * 1024]).toBe(1);
});

test("speeds are 10⁹ per second, with quartiles in ascending order", () => {
  expect(speeds([4, 1, 2, 8, 16], 16e6)).toEqual({ low: 2, median: 4, high: 8, best: 16 });
  expect(speeds([2], 1e6)).toEqual({ low: 0.5, median: 0.5, high: 0.5, best: 0.5 });
});
