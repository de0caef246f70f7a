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
  add: (on, made) => changed(made("x", 5, 3), (x) => on.add(x, made("y", 5, 3))),
  mix: (on, made) => changed(made("x", 5, 3), (x) => on.mix(x, made("y", 5, 3), 0.99)),
  addRows: (on, made) => changed(made("x", 5, 3), (x) => on.addRows(x, Int32Array.of(2, -1, 2, 0), made("y", 4, 3))),
  adamW(on, made) {
    const [weight, gradient] = [made("weight", 5, 3), made("gradient", 5, 3)];
    const [first, second] = [made("first", 5, 3), on.zerosLike(weight)];
    const o = { learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, step: 2, gradientScale: 0.5 };
    on.adamW([{ weight, gradient, first, second, weightDecay: 0.1 }], o);
    return [weight, first, second];
  },
};

function changed(x: TensorData, change: (x: TensorData) => void): readonly TensorData[] {
  change(x);
  return [x];
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
