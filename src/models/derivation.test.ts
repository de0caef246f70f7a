import { describe, expect, it } from "vitest";
import { normal, randomKey } from "../core/random.ts";
import { derivationName, derived } from "./derivation.ts";

const data = Float32Array.from({ length: 256 }, (_, i) => normal(randomKey(1, "w"), i));
const tensor = { name: "a.weight", shape: [8, 32], data };
const errorOf = (values: Float32Array) => values.reduce((sum, value, i) => sum + (value - data[i]!) ** 2, 0);

describe("derived weights", () => {
  it("at dose 0 are the weights themselves, and pruning zeroes the exact share", () => {
    expect([...derived(tensor, { kind: "prune", method: "magnitude", sparsity: 0 }).data]).toEqual([...data]);
    for (const method of ["magnitude", "random"] as const) {
      const pruned = derived(tensor, { kind: "prune", method, sparsity: 0.25 }).data;
      expect(pruned.filter((value) => value === 0).length).toBe(64);
      expect(pruned.every((value, i) => value === 0 || value === data[i])).toBe(true);
    }
    const large = derived(tensor, { kind: "prune", method: "magnitude", sparsity: 0.5 }).data;
    const dropped = data.filter((_, i) => large[i] === 0).map(Math.abs);
    expect(Math.max(...dropped)).toBeLessThanOrEqual(Math.min(...large.filter((value) => value !== 0).map(Math.abs)));
  });

  it("keep of each row, by scores that are calibrated, an exact share, and less of it at each larger dose", () => {
    const norms = new Map([["a.weight", Float32Array.from({ length: 32 }, (_, i) => 1 + (i % 5))]]);
    const gradients = new Map([["a.weight", Float32Array.from(data, (_, i) => normal(randomKey(2, "g"), i))]]);
    const methods = [
      ["wanda", norms],
      ["gradient", gradients],
    ] as const;
    for (const [method, calibration] of methods) {
      const at = (sparsity: number) => derived(tensor, { kind: "prune", method, sparsity, calibration }).data;
      expect([...at(0)]).toEqual([...data]);
      let before = at(0);
      for (const sparsity of [0.25, 0.5, 0.75]) {
        const pruned = at(sparsity);
        for (let row = 0; row < 8; row++) {
          const own = pruned.slice(32 * row, 32 * (row + 1));
          expect(own.filter((value) => value === 0).length).toBe(32 * sparsity);
        }
        expect(pruned.every((value, i) => value === 0 || value === before[i])).toBe(true);
        before = pruned;
      }
    }
    expect(() => derived(tensor, { kind: "prune", method: "wanda", sparsity: 0.5 }).data).toThrow(/not calibrated/);
  });

  it("round within half a scale, and searched scales are never worse", () => {
    const int8 = derived(tensor, { kind: "quantize", bits: 8, search: false }).data;
    for (let start = 0; start < 256; start += 32) {
      const block = data.subarray(start, start + 32);
      const scale = Math.max(...block.map(Math.abs)) / 127;
      for (let i = 0; i < 32; i++) expect(Math.abs(int8[start + i]! - block[i]!)).toBeLessThanOrEqual(scale / 2 + 1e-6);
    }
    const plain = derived(tensor, { kind: "quantize", bits: 4, search: false }).data;
    const searched = derived(tensor, { kind: "quantize", bits: 4, search: true }).data;
    expect(errorOf(searched)).toBeLessThan(errorOf(plain));
    expect(errorOf(int8)).toBeLessThan(0.02 * errorOf(plain));
  });

  it("have names that say what was done", () => {
    expect(derivationName({ kind: "quantize", bits: 4, search: true })).toBe("int4 with searched scales");
    expect(derivationName({ kind: "prune", method: "random", sparsity: 0.3 })).toBe("30 % pruned by random");
  });
});
