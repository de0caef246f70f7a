import { describe, expect, test } from "vitest";
import { interpret } from "../compiler/interpret.ts";
import { constant, type Tensor } from "../compiler/tensor.ts";
import { normal, randomKey } from "../core/random.ts";
import { float32 } from "../core/tensor-data.ts";
import { applyRotary, attention, gelu, geluTanh, layerNorm, linear, quickGelu, rmsNorm, silu } from "./layers.ts";
import { EXCLUDED } from "./sampling.ts";

const t = (shape: readonly number[], values: readonly number[]): Tensor => constant(float32(shape, values));
const random = (name: string, size: number) =>
  Array.from({ length: size }, (_, i) => Math.fround(normal(randomKey(3, name), i)));

function values(y: Tensor): number[] {
  return [...interpret({ inputs: {}, outputs: { y } }, {}, { precision: "float64" }).y!.data];
}

function expectValues(y: Tensor, expected: readonly number[], digits = 6): void {
  const found = values(y);
  expect(found.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(found[i], `value ${i}`).toBeCloseTo(value, digits);
}

test("linear: x Wᵀ + b", () => {
  const x = t([2, 3], [1, 2, 3, -1, 0, 1]);
  const weight = t([2, 3], [1, 0, -1, 2, 1, 0.5]);
  expectValues(linear(x, weight), [-2, 5.5, -2, -1.5]);
  expectValues(linear(x, weight, t([2], [10, 20])), [8, 25.5, 8, 18.5]);
});

test("layerNorm: mean 0 and variance n, then weight and bias", () => {
  // Mean 2, deviations −1, 0, 1, variance 2/3 (not unbiased); epsilon inside the root.
  const y = layerNorm(t([1, 3], [1, 2, 3]), t([3], [1, 2, 3]), t([3], [0, 0, 1]), 1 / 3);
  expectValues(y, [-1, 0, 4]);
  expectValues(layerNorm(t([1, 2], [5, 5]), t([2], [1, 1]), t([2], [0.5, -0.5]), 1e-6), [0.5, -0.5]);
});

test("rmsNorm divides by the root of the mean square, without centring", () => {
  expectValues(
    rmsNorm(t([2, 2], [3, 4, 1, 1]), t([2], [1, 10]), 0),
    [3, 40, 1, 10].map((v, i) => (i < 2 ? v / Math.sqrt(12.5) : v)),
  );
  expectValues(rmsNorm(t([1, 2], [1, 1]), t([2], [1, 1]), 3), [0.5, 0.5]);
});

test("activation functions at points with known values", () => {
  const x = t([3], [-1, 0, 1]);
  expectValues(silu(x), [-0.2689414, 0, 0.7310586]);
  expectValues(quickGelu(x), [-0.1542042, 0, 0.8457958]);
  expectValues(gelu(x), [-0.1586553, 0, 0.8413447]);
  expectValues(geluTanh(x), [-0.158808, 0, 0.841192]);
});

describe("applyRotary", () => {
  const angles = (position: number) => [position * 1, position * 0.1];
  /** cos and sin [1, 1, 2]. */
  const table = (position: number) => {
    const own = angles(position);
    return [t([1, 1, 2], own.map(Math.cos)), t([1, 1, 2], own.map(Math.sin))] as const;
  };

  test("rotates element d with element d + half, by each pair's own angle", () => {
    const [cos, sin] = table(2);
    const [a, b, c, d] = [1, 2, 3, 4];
    const [p, q] = angles(2) as [number, number];
    expectValues(applyRotary(t([1, 1, 1, 4], [a, b, c, d]), cos, sin), [
      a * Math.cos(p) - c * Math.sin(p),
      b * Math.cos(q) - d * Math.sin(q),
      c * Math.cos(p) + a * Math.sin(p),
      d * Math.cos(q) + b * Math.sin(q),
    ]);
  });

  test("a score depends only on the distance of two positions, and position 0 is the identity", () => {
    const [query, key] = [random("query", 4), random("key", 4)];
    const score = (m: number, n: number) => {
      const [q, k] = [
        [query, m],
        [key, n],
      ].map(([v, position]) => values(applyRotary(t([1, 1, 1, 4], v as number[]), ...table(position as number))));
      return q!.reduce((total, value, i) => total + value * k![i]!, 0);
    };
    expect(score(7, 4)).toBeCloseTo(score(3, 0), 5);
    expect(score(7, 4)).not.toBeCloseTo(score(4, 7), 2);
    expectValues(applyRotary(t([1, 1, 1, 4], query), ...table(0)), query);
  });
});

describe("attention", () => {
  const [rows, tokens, heads, keyValueHeads, headDim] = [2, 3, 4, 2, 2] as const;
  const query = random("q", rows * tokens * heads * headDim);
  const key = random("k", rows * tokens * keyValueHeads * headDim);
  const value = random("v", rows * tokens * keyValueHeads * headDim);
  const causal = Array.from({ length: rows * tokens * tokens }, (_, i) =>
    i % tokens <= Math.floor(i / tokens) % tokens ? 0 : EXCLUDED,
  );

  /** Softmax attention with plain loops. */
  function direct(bias: readonly number[] | null): number[] {
    const result: number[] = [];
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < tokens; i++) {
        for (let h = 0; h < heads; h++) {
          const g = Math.floor(h / (heads / keyValueHeads));
          const at = (j: number, d: number) => ((r * tokens + j) * keyValueHeads + g) * headDim + d;
          const scores = Array.from({ length: tokens }, (_, j) => {
            let score = bias === null ? 0 : bias[(r * tokens + i) * tokens + j]!;
            for (let d = 0; d < headDim; d++) {
              score += (query[((r * tokens + i) * heads + h) * headDim + d]! * key[at(j, d)]!) / Math.sqrt(headDim);
            }
            return Math.exp(score);
          });
          const total = scores.reduce((a, b) => a + b, 0);
          for (let d = 0; d < headDim; d++) {
            result.push(scores.reduce((sum, score, j) => sum + (score / total) * value[at(j, d)]!, 0));
          }
        }
      }
    }
    return result;
  }

  const tensors = [
    t(
      [rows, tokens, heads, headDim],
      query.map((v) => v / Math.sqrt(headDim)),
    ),
    t([rows, tokens, keyValueHeads, headDim], key),
    t([rows, tokens, keyValueHeads, headDim], value),
  ] as const;

  test("heads share keys and values in consecutive groups", () => {
    expectValues(attention(...tensors, null), direct(null));
  });

  test("a bias masks tokens", () => {
    expectValues(attention(...tensors, t([rows, tokens, tokens], causal)), direct(causal));
  });

  test("the first token of a causal row returns its own value; equal keys give the mean", () => {
    const found = values(attention(...tensors, t([rows, tokens, tokens], causal)));
    expect(found.slice(0, 2)).toEqual(value.slice(0, 2).map((v) => expect.closeTo(v, 6)));
    const same = attention(
      tensors[0],
      t(
        [rows, tokens, keyValueHeads, headDim],
        key.map(() => 1),
      ),
      tensors[2],
      null,
    );
    const mean = [0, 1, 2].reduce((sum, j) => sum + value[j * keyValueHeads * headDim]! / 3, 0);
    expect(values(same)[0]).toBeCloseTo(mean, 6);
  });
});
