import { describe, expect, it } from "vitest";
import { itMatchesGolden } from "../../test/methods-golden.ts";
import { normal, randomKey } from "../core/random.ts";
import { averages, type Factors, sharesOf } from "./federated.ts";
import { truncate } from "./svd.ts";

const names = Object.keys(averages) as (keyof typeof averages)[];
const sizes = { rank: 3, rows: 11, columns: 14 };
const random = (seed: number, length: number) =>
  Float64Array.from({ length }, (_, i) => normal(randomKey(seed, "factors"), i));
const site = (seed: number): Factors => ({ a: random(seed, 3 * 14), b: random(seed + 100, 11 * 3) });

function product({ a, b }: Factors, { rank, rows, columns }: typeof sizes): number[] {
  return Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    return Array.from({ length: rank }, (_, k) => b[row * rank + k]! * a[k * columns + column]!).reduce(
      (x, y) => x + y,
    );
  });
}

function expectNear(found: ArrayLike<number>, wanted: ArrayLike<number>, tolerance = 1e-9): void {
  expect(found.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) expect(Math.abs(found[i]! - wanted[i]!)).toBeLessThan(tolerance);
}

describe("averages of adapters", () => {
  it.each(names)("%s leaves one site's update, and that of equal sites, as it is", (name) => {
    const own = site(1);
    for (const list of [[own], [own, own, own]]) {
      const merged = averages[name](list, sharesOf(list.map((_, k) => k + 1)), sizes);
      expectNear(product(merged, sizes), product(own, sizes));
      expect(Math.sqrt(merged.errorSquare / merged.square)).toBeLessThan(1e-7);
    }
  });

  it.each(names)("%s does not depend on the order of sites", (name) => {
    const [a, b, c] = [site(1), site(2), site(3)];
    const one = averages[name]([a, b, c], sharesOf([5, 2, 1]), sizes);
    const other = averages[name]([c, a, b], sharesOf([1, 5, 2]), sizes);
    expectNear(product(one, sizes), product(other, sizes));
    expect(one.errorSquare).toBeCloseTo(other.errorSquare, 9);
  });

  it("has no error where all sites kept one A, and fedex none at all with its residual", () => {
    const frozen = site(1).a;
    const list = [1, 2, 3].map((seed) => ({ a: frozen, b: site(seed).b }));
    expect(averages.fedavg(list, sharesOf([1, 2, 3]), sizes).errorSquare).toBeLessThan(1e-20);
    const sites = [site(1), site(2)];
    const shares = sharesOf([3, 1]);
    const merged = averages.fedex(sites, shares, sizes);
    const exact = product(sites[0]!, sizes).map((value, i) => 0.75 * value + 0.25 * product(sites[1]!, sizes)[i]!);
    expectNear(
      product(merged, sizes).map((value, i) => value + merged.residual![i]!),
      exact,
    );
    const { errorSquare } = averages.svd(sites, shares, sizes);
    expect(errorSquare).toBeLessThan(averages.fedavg(sites, shares, sizes).errorSquare);
  });

  interface Golden {
    readonly A: number[][][];
    readonly B: number[][][];
    readonly sizes: number[];
    readonly weights: number[];
    readonly fedavg_product: number[][];
    readonly residual: number[][];
    readonly residual_norm_share: number;
    readonly svd_rank2: number[][];
    readonly singular_values: number[];
    readonly exact_average: number[][];
    readonly svd_error: number;
  }
  itMatchesGolden<Golden>("federated", "averages, residual, error and truncation", (golden) => {
    const list = golden.A.map((a, k) => ({ a: a.flat(), b: golden.B[k]!.flat() }));
    const shape = { rank: 2, rows: 3, columns: 4 };
    const shares = sharesOf(golden.sizes);
    expect(shares).toEqual(golden.weights);
    const fedavg = averages.fedavg(list, shares, shape);
    expectNear(product(fedavg, shape), golden.fedavg_product.flat());
    expect(Math.sqrt(fedavg.errorSquare / fedavg.square)).toBeCloseTo(golden.residual_norm_share, 9);
    expectNear(averages.fedex(list, shares, shape).residual!, golden.residual.flat());
    const svd = averages.svd(list, shares, shape);
    expectNear(product(svd, shape), golden.svd_rank2.flat());
    expect(Math.sqrt(svd.errorSquare)).toBeCloseTo(golden.svd_error, 8);
    const { singularValues } = truncate(golden.exact_average.flat(), 3, 4, 3);
    expectNear(singularValues, golden.singular_values);
  });
});

describe("truncation", () => {
  it("gives back a matrix of low rank, and says what it loses of another", () => {
    const low = product(site(4), sizes);
    const same = truncate(low, 11, 14, 3);
    expectNear(product(same, sizes), low);
    expect(same.lost).toBeLessThan(1e-6);
    const noise = random(9, 60 * 40);
    const all = truncate(noise, 60, 40, 40).singularValues;
    const part = truncate(noise, 60, 40, 5);
    expect(all).toEqual([...all].sort((a, b) => b - a));
    const tail = Math.sqrt(all.slice(5).reduce((sum, value) => sum + value ** 2, 0));
    expect(part.lost / tail).toBeGreaterThan(1 - 1e-9);
    expect(part.lost / tail).toBeLessThan(1.001);
    expectNear(part.singularValues.slice(0, 2), all.slice(0, 2), 1e-3);
  });

  it("takes a matrix of zeros", () => {
    const { a, b, lost } = truncate(new Float64Array(12), 3, 4, 2);
    expect([...a, ...b, lost].every((value) => value === 0)).toBe(true);
  });
});
