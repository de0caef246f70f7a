import { expect, test } from "vitest";
import { normal, randomKey } from "../core/random.ts";
import { pairedBootstrap } from "./bootstrap.ts";
import { type CrossedValue, crossedBootstrap } from "./crossed-bootstrap.ts";

const key = randomKey(3, "crossed");

/** Effects of seed and subject plus noise, each with its own standard deviation. */
function values(o: {
  seeds: number;
  subjects: number;
  ofSeed: number;
  ofSubject: number;
  mean?: number;
}): CrossedValue[] {
  return Array.from({ length: o.seeds * o.subjects }, (_, i) => {
    const [seed, subject] = [Math.floor(i / o.subjects), i % o.subjects];
    const effect = o.ofSeed * normal(key, seed) + o.ofSubject * normal(key, 1000 + subject);
    return { subject: `s${subject}`, seed, value: (o.mean ?? 0) + effect };
  });
}

test("with one seed it equals the bootstrap over subjects", () => {
  const one = values({ seeds: 1, subjects: 200, ofSeed: 0, ofSubject: 1 });
  const crossed = crossedBootstrap(one)!;
  const plain = pairedBootstrap(
    one.map(({ value }) => value),
    one.map(() => 0),
    one.map(({ subject }) => subject),
  )!;
  expect(crossed.estimate).toBeCloseTo(plain.estimate, 12);
  expect(crossed.high - crossed.low).toBeCloseTo(plain.high - plain.low, 1);
});

test("variation between seeds widens the interval by its standard error over seeds, whatever the number of subjects", () => {
  const { low, high } = crossedBootstrap(values({ seeds: 20, subjects: 50, ofSeed: 1, ofSubject: 0 }))!;
  const bySeed = Array.from({ length: 20 }, (_, seed) => normal(key, seed));
  const mean = bySeed.reduce((a, b) => a + b) / 20;
  const error = Math.sqrt(bySeed.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 20 / 20);
  expect((high - low) / (2 * 1.96 * error)).toBeGreaterThan(0.9);
  expect((high - low) / (2 * 1.96 * error)).toBeLessThan(1.1);
});

test("p is small if the interval is far from 0, and about the significance level if it touches 0", () => {
  const far = crossedBootstrap(values({ seeds: 3, subjects: 100, ofSeed: 0, ofSubject: 1, mean: 2 }))!;
  expect(far.p).toBeLessThan(0.001);
  const shifted = (by: number) =>
    crossedBootstrap(values({ seeds: 3, subjects: 100, ofSeed: 0, ofSubject: 1, mean: by }))!;
  const touching = shifted(-shifted(0).low);
  expect(touching.low).toBeCloseTo(0, 9);
  expect(touching.p).toBeGreaterThan(0.04);
  expect(touching.p).toBeLessThan(0.06);
});

test("no interval without values", () => expect(crossedBootstrap([])).toBeNull());
