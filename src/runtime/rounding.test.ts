import { afterEach, describe, expect, test, vi } from "vitest";
import { matmul } from "../compiler/ops/index.ts";
import { input } from "../compiler/tensor.ts";
import { float32, int32 } from "../core/tensor-data.ts";
import { otherRounding } from "./rounding.ts";
import { CompiledProgram } from "./session.ts";

afterEach(() => vi.unstubAllEnvs());

const values = Float32Array.from({ length: 5000 }, (_, i) => (i % 2 === 0 ? 1 : -1) * 1.001 ** i);

/** The values as another processor might have rounded them. */
function moved(seed: string, { output = "y", of = values }: { output?: string; of?: Float32Array } = {}): Float32Array {
  const data = of.slice();
  otherRounding({ VIVA_ROUNDING_SEED: seed })!(output, float32([of.length], data));
  return data;
}

const shareEqual = (a: Float32Array, b: Float32Array) => a.filter((value, i) => value === b[i]).length / a.length;

describe("another rounding", () => {
  test("moves most numbers by one unit in the last place, up as often as down", () => {
    const steps = moved("1").map((value, i) => (value - values[i]!) / Math.abs(values[i]!));
    expect(Math.max(...steps.map(Math.abs))).toBeLessThan(1.7e-7); // 1e-7 and its own rounding
    const share = (of: (step: number) => boolean) => steps.filter(of).length / steps.length;
    expect(share((step) => step > 0)).toBeCloseTo(
      share((step) => step < 0),
      1,
    );
    expect(share((step) => step !== 0)).toBeGreaterThan(0.4);
  });

  test("is the same for the same computation, and another for another seed, output, size, place or number", () => {
    expect(moved("1")).toEqual(moved("1"));
    expect(shareEqual(moved("1"), moved("2"))).toBeLessThan(0.7);
    expect(shareEqual(moved("1"), moved("1", { output: "z" }))).toBeLessThan(0.7);
    expect(shareEqual(moved("1").slice(0, -1), moved("1", { of: values.slice(0, -1) }))).toBeLessThan(0.7);
    const equal = moved("1", { of: new Float32Array(5000).fill(1.5) });
    expect(new Set(equal).size).toBeGreaterThan(1);
  });

  test("leaves zeros, what is not finite, and whole numbers of other types alone", () => {
    const kept = Float32Array.of(0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN);
    expect(moved("1", { of: kept })).toEqual(kept);
    const ids = int32([3], [7, -8, 1 << 30]);
    otherRounding({ VIVA_ROUNDING_SEED: "1" })!("y", ids);
    expect([...ids.data]).toEqual([7, -8, 1 << 30]);
  });

  test("is there only where a seed asks for it, which must be a whole number", () => {
    expect([otherRounding({}), otherRounding({ VIVA_ROUNDING_SEED: "" })]).toEqual([null, null]);
    expect(() => otherRounding({ VIVA_ROUNDING_SEED: "one" })).toThrow('a whole number, got "one"');
  });

  test("reaches what every program returns", async () => {
    const inputs = { x: input("x", "float32", [60, 5]), w: input("w", "float32", [5, 60]) };
    const program = { inputs, outputs: { y: matmul(inputs.x, inputs.w) } };
    const fed = { x: float32([60, 5], values.slice(0, 300)), w: float32([5, 60], values.slice(300, 600)) };
    const run = async (seed: string) => {
      vi.stubEnv("VIVA_ROUNDING_SEED", seed);
      const compiled = await CompiledProgram.compile(program, { threads: 1 });
      const { y } = await compiled.run(fed);
      await compiled.release();
      return y!.data as Float32Array;
    };
    const plain = await run("");
    expect(await run("3")).toEqual(moved("3", { of: plain }));
    expect(await run("3")).not.toEqual(plain);
  });
});
