import { describe, expect, it } from "vitest";
import { loadDataset } from "./index.ts";
import { shares } from "./mix.ts";

const sets = [
  { name: "phantom", limit: 30, weight: 3 },
  { name: "phantom_world", limit: 20, weight: 1 },
];
const mix = (own: object, more: object = {}) =>
  loadDataset({ name: "mix", split: "train", seed: 5, own: { ...own }, ...more });
const bySource = (examples: Awaited<ReturnType<typeof mix>>) => {
  const counts = new Map<string, number>();
  for (const { meta } of examples) counts.set(meta["source"]!, (counts.get(meta["source"]!) ?? 0) + 1);
  return Object.fromEntries(counts);
};

describe("shares", () => {
  it("are in the proportion of the weights, by repeating the smaller sets or by leaving some of the larger out", () => {
    expect(shares([100, 20], [1, 1], "all")).toEqual([100, 100]);
    expect(shares([100, 20], [1, 1], "fewest")).toEqual([20, 20]);
    expect(shares([100, 20, 50], [4, 1, 1], "all")).toEqual([200, 50, 50]);
    expect(shares([1000, 10], [1000, 1], "all")).toEqual([10_000, 10]);
  });
});

describe("mix", () => {
  it("holds every example of every set, and those of the smaller share several times", async () => {
    const examples = await mix({ sets });
    expect(bySource(examples)).toEqual({ "phantom-1": 60, "phantom_world-2": 20 });
    const ids = examples.map(({ id }) => id);
    expect(new Set(ids).size).toBe(50);
    expect(ids.filter((id) => id === ids[0])).toHaveLength(2);
    expect(examples.every(({ meta }) => meta["split"] === "train")).toBe(true);
  });

  it("repeats none where it is told to, the same ones for the same seed", async () => {
    const examples = await mix({ sets, repeat: "fewest" });
    expect(bySource(examples)).toEqual({ "phantom-1": 30, "phantom_world-2": 10 });
    expect(await mix({ sets, repeat: "fewest" })).toEqual(examples);
    expect(new Set(examples.map(({ id }) => id)).size).toBe(40);
    expect(bySource(await mix({ sets }, { limit: 12 }))).toMatchObject({ "phantom-1": expect.any(Number) });
    expect(await mix({ sets }, { limit: 12 })).toHaveLength(12);
  });

  it.each([
    ["one set", { sets: sets.slice(0, 1) }, /sets must be a list of at least two data sets/],
    ["an unknown set", { sets: [sets[0], { name: "fantom" }] }, /fantom/],
    ["a mix", { sets: [sets[0], { name: "mix" }] }, /a mix holds no mix$/],
    ["a weight of 0", { sets: [sets[0], { name: "phantom", weight: 0 }] }, /a number above 0/],
    [
      "an option that a set does not have",
      { sets: [sets[0], { name: "phantom", color: 1 }] },
      /dataset "phantom": unknown option "color"/,
    ],
  ])("refuses %s", async (_, own, message) => {
    await expect(mix(own)).rejects.toThrow(message);
  });
});
