import { describe, expect, it } from "vitest";
import { randomKey, uniform } from "../core/random.ts";
import type { Example } from "../core/records.ts";
import { subgroupGaps } from "./metrics/subgroups.ts";
import { subgroupFigures } from "./subgroup-gaps.ts";

const GAPS = ["parity_difference", "opportunity_difference", "odds_difference"] as const;

/** n patients, of whom 30 % are in the group; in it a present finding is called with chance `found`, else with 0.9. */
function asked(n: number, found: number, seed: number) {
  const rows = Array.from({ length: n }, (_, i) => {
    const at = (c: number) => uniform(randomKey(seed, "gap", i), c);
    const faint = at(0) < 0.3;
    const target = at(1) < 0.5 ? 1 : 0;
    const called = target === 1 ? at(2) < (faint ? found : 0.9) : at(2) < 0.1;
    return { faint, target, called: called ? 1 : 0 };
  });
  const examples = rows.map(
    ({ faint, target }, i): Example => ({
      ...{ id: `e${i}`, subjectId: `s${i}`, question: "?", images: [], answer: target ? "Yes" : "no" },
      ...{ answerType: "closed", choices: [], meta: { subgroup: faint ? "faint" : "usual", one: "same" } },
    }),
  );
  return { rows, examples, yes: rows.map(({ called }) => called) };
}

describe("gaps between groups", () => {
  it("are negated, and the ratio inverted, by swapping the groups", () => {
    const { rows } = asked(300, 0.5, 1);
    const of = (inGroup: readonly boolean[]) =>
      subgroupGaps(
        rows.map(({ target }) => target),
        rows.map(({ called }) => called),
        inGroup,
      )();
    const [one, other] = [of(rows.map(({ faint }) => faint)), of(rows.map(({ faint }) => !faint))];
    for (const gap of GAPS) expect(one[gap]).toBeCloseTo(-other[gap], 12);
    expect(one.disparate_impact).toBeCloseTo(1 / other.disparate_impact, 12);
  });

  it("of equal groups are 0, and the ratio 1", () => {
    const [targets, scores] = [
      [1, 0, 1, 0, 1, 0, 1, 0],
      [1, 0, 0, 1, 1, 0, 0, 1],
    ];
    const gaps = subgroupGaps(
      targets,
      scores,
      targets.map((_, i) => i < 4),
    )();
    expect(gaps).toEqual({ disparate_impact: 1, parity_difference: 0, opportunity_difference: 0, odds_difference: 0 });
  });

  it("of rows counted twice are those of rows that stand there twice", () => {
    const { rows } = asked(60, 0.5, 2);
    const twice = [...rows, ...rows.slice(0, 20)];
    const of = (all: typeof rows) =>
      subgroupGaps(
        all.map(({ target }) => target),
        all.map(({ called }) => called),
        all.map(({ faint }) => faint),
      );
    expect(of(rows)(rows.map((_, i) => (i < 20 ? 2 : 1)))).toEqual(of(twice)());
  });

  it("that are planted are found at their size, and none where there is none", () => {
    const planted = asked(1500, 0.5, 3);
    const [found] = subgroupFigures(planted.examples, planted.yes, ["subgroup", "one", "absent"]);
    expect(found).toMatchObject({ stratum: "subgroup", value: "faint" });
    expect(found!.n + found!.rest).toBe(1500);
    expect(found!.opportunity_difference!.low).toBeLessThan(-0.4);
    expect(found!.opportunity_difference!.high).toBeGreaterThan(-0.4);
    expect(found!.opportunity_difference!.high).toBeLessThan(0);
    const fair = asked(1500, 0.9, 4);
    const [none] = subgroupFigures(fair.examples, fair.yes, ["subgroup"]);
    expect(none!.opportunity_difference!.low).toBeLessThan(0);
    expect(none!.opportunity_difference!.high).toBeGreaterThan(0);
    expect(subgroupFigures(fair.examples, fair.yes, [])).toEqual([]);
  });
});
