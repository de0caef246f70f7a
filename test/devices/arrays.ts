/** What is done with whole arrays, on the device named by its argument and on the host: prints the largest differences as JSON. */
import type { Device } from "../../src/core/device.ts";
import { normal, randomKey } from "../../src/core/random.ts";
import { float32, type TensorData } from "../../src/core/tensor-data.ts";
import type { Arrays } from "../../src/engine/local/arrays/arrays.ts";
import { deviceArrays } from "../../src/engine/local/arrays/device-arrays.ts";
import { hostArrays } from "../../src/engine/local/arrays/host-arrays.ts";

/** A new array of random numbers by name and shape. */
type Made = (name: string, ...shape: readonly number[]) => TensorData;

/** Each gives the arrays to compare. */
const works: Readonly<Record<string, (on: Arrays, made: Made) => readonly TensorData[]>> = {
  copy: (on, made) => [on.copy(made("x", 5, 3))],
  zerosLike: (on, made) => [on.zerosLike(made("x", 4))],
  rows: (on, made) => [on.rows(made("x", 5, 3), Int32Array.of(4, 0, 4))],
  add: (on, made) =>
    changed([made("x", 5, 3), made("z", 4)], (totals) => on.add(totals, [made("y", 5, 3), made("u", 4)])),
  mix: (on, made) =>
    changed([made("x", 5, 3), made("z", 4)], (totals) => on.mix(totals, [made("y", 5, 3), made("u", 4)], 0.99)),
  addRows: (on, made) =>
    changed([made("x", 5, 3)], ([x]) => on.addRows(x!, Int32Array.of(2, -1, 2, 0), made("y", 4, 3))),
  adamW(on, made) {
    const shapes = { matrix: [5, 3], other: [2, 7], vector: [4] };
    const weights = Object.entries(shapes).map(([name, shape]) => {
      const weight = made(`weight ${name}`, ...shape);
      const [gradient, first] = [made(`gradient ${name}`, ...shape), made(`first ${name}`, ...shape)];
      return { weight, gradient, first, second: on.zerosLike(weight), weightDecay: name === "vector" ? 0 : 0.1 };
    });
    const o = { learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, step: 2, gradientScale: 0.5 };
    on.adamW(weights, o);
    return weights.flatMap(({ weight, first, second }) => [weight, first, second]);
  },
};

function changed(
  totals: readonly TensorData[],
  change: (totals: readonly TensorData[]) => void,
): readonly TensorData[] {
  change(totals);
  return totals;
}

async function numbers(on: Arrays): Promise<Readonly<Record<string, readonly number[]>>> {
  const made: Made = (name, ...shape) => {
    const size = shape.reduce((a, b) => a * b);
    return on.hold(
      float32(
        shape,
        Float32Array.from({ length: size }, (_, i) => normal(randomKey(1, name), i)),
      ),
    );
  };
  const found: Record<string, readonly number[]> = { norm: [await on.norm([made("x", 5, 3), made("y", 4)])] };
  for (const [name, work] of Object.entries(works)) {
    const arrays = work(on, made);
    await on.fetch(arrays, name);
    found[name] = arrays.flatMap(({ data }) => [...data].map(Number));
  }
  await on.close();
  return found;
}

const [expected, found] = [await numbers(hostArrays()), await numbers(deviceArrays(process.argv[2] as Device, 1))];
const apart = (name: string, values: readonly number[]) =>
  Math.max(...values.map((value, i) => Math.abs(value - found[name]![i]!)));
console.log(
  JSON.stringify(Object.fromEntries(Object.entries(expected).map(([name, own]) => [name, apart(name, own)]))),
);
