import { describe, expect, it } from "vitest";
import { itMatchesGolden } from "../../test/methods-golden.ts";
import { permutation, randomKey, uniform } from "../core/random.ts";
import { type Likenesses, routeDefaults, voteFor } from "./route.ts";

interface Golden {
  readonly image_cos: readonly number[];
  readonly text_cos: readonly number[];
  readonly expert: readonly string[];
  readonly result: readonly [readonly number[], Readonly<Record<string, number>>, string];
}

function made(seed: number, n = 30): Likenesses {
  const of = (name: string) => Array.from({ length: n }, (_, i) => uniform(randomKey(seed, name), i));
  return {
    ids: Array.from({ length: n }, (_, i) => `case ${i}`),
    experts: of("expert").map((u) => (u < 0.1 ? null : u < 0.4 ? "a" : u < 0.7 ? "b" : "c")),
    // Steps of 0.1, so that there are ties.
    image: of("image").map((u) => Math.round(10 * u) / 10),
    text: of("text").map((u) => Math.round(10 * u) / 10),
  };
}

describe("the vote of the nearest cases", () => {
  itMatchesGolden<Golden>("route", "nearest cases, shares and expert", (golden) => {
    const [nearest, shares, expert] = golden.result;
    const likenesses = {
      ids: golden.expert.map((_, i) => String(i)),
      ...{ experts: golden.expert, image: golden.image_cos, text: golden.text_cos },
    };
    const vote = voteFor(likenesses, { ...routeDefaults, k: nearest.length });
    expect(vote.nearest).toEqual(nearest);
    expect(vote.expert).toBe(expert);
    expect(vote.shares.size).toBe(Object.keys(shares).length);
    for (const [name, share] of Object.entries(shares)) expect(vote.shares.get(name)).toBeCloseTo(share, 9);
  });

  it("does not depend on the order of the cases", () => {
    for (let seed = 0; seed < 20; seed++) {
      const all = made(seed);
      const order = permutation(randomKey(seed, "order"), all.ids.length);
      const at = <T>(values: ArrayLike<T>) => Array.from(order, (i) => values[i]!);
      const mixed = { ids: at(all.ids), experts: at(all.experts), image: at(all.image), text: at(all.text) };
      const [one, other] = [voteFor(all, routeDefaults), voteFor(mixed, routeDefaults)];
      expect(other.nearest.map((i) => mixed.ids[i])).toEqual(one.nearest.map((i) => all.ids[i]));
      expect(other.expert).toBe(one.expert);
      expect([...other.shares.values()].reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
    }
  });

  it("is a single expert's wherever there is one alone", () => {
    for (let seed = 0; seed < 20; seed++) {
      const all = made(seed);
      const one = { ...all, experts: all.ids.map(() => "only") };
      expect(voteFor(one, { ...routeDefaults, theta: 1 }).expert).toBe("only");
    }
  });

  it("goes to the model itself below the smallest share, and without cases", () => {
    const all = made(1);
    expect(voteFor(all, { ...routeDefaults, theta: 1.01 }).expert).toBe(null);
    expect(voteFor(all, routeDefaults, () => false)).toEqual({ nearest: [], shares: new Map(), expert: null });
  });

  it("never uses a case that may not be used", () => {
    const all = made(2);
    const { nearest } = voteFor(all, { ...routeDefaults, k: 30 }, (i) => i % 3 === 0);
    expect(nearest.every((i) => i % 3 === 0)).toBe(true);
    expect(nearest).toHaveLength(10);
  });
});
