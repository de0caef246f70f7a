import { describe, expect, it } from "vitest";
import { randomKey, uniform } from "../core/random.ts";
import { verdictSentence } from "../runs/verdict.ts";
import { verdicts } from "./verdict.ts";

/** Right or wrong answers to n questions, independent between questions. */
function answers(share: number, n: number, ...path: readonly (number | string)[]): readonly number[] {
  const key = randomKey(0, ...path);
  return Array.from({ length: n }, (_, i) => (uniform(key, i) < share ? 1 : 0));
}

const subjects = (n: number) => Array.from({ length: n }, (_, i) => `s${i}`);

describe("the verdict over baselines", () => {
  const n = 300;
  const weak = { name: "majority", values: answers(0.3, n, "weak") };
  const strong = { name: "sft", values: answers(0.7, n, "strong") };
  const arm = { name: "grpo", values: answers(0.72, n, "arm") };

  it("is improved over a weak baseline alone, and not shown beside a strong one", () => {
    const [alone] = verdicts([arm], [weak], subjects(n));
    expect(alone).toMatchObject({ verdict: "improved", against: "majority", unbeaten: [] });
    const [beside] = verdicts([arm], [weak, strong], subjects(n));
    expect(beside).toMatchObject({ verdict: "not_shown", against: "sft", unbeaten: ["sft"] });
    expect(beside!.detectable_difference).toBeGreaterThan(0.05);
    expect(verdictSentence(beside!)).toMatch(
      /^not shown: .* points against sft, the best baseline on these questions; p .*; a true difference of \d+\.\d points would be seen/,
    );
  });

  it("is worse where the interval lies below the best baseline", () => {
    const [found] = verdicts([{ name: "broken", values: answers(0.4, n, "broken") }], [weak, strong], subjects(n));
    expect(found).toMatchObject({ verdict: "worse", against: "sft" });
    expect(found!.difference.high).toBeLessThan(0);
    expect(verdictSentence(found!)).toMatch(/^worse: -/);
  });

  it("compares with the best on validation where all were measured there, and asks for the others all the same", () => {
    const baselines = [
      { ...weak, validation: 0.9 },
      { ...strong, validation: 0.5 },
    ];
    const [found] = verdicts([arm], baselines, subjects(n));
    expect(found).toMatchObject({
      verdict: "not_shown",
      against: "majority",
      chosen_on: "validation",
      unbeaten: ["sft"],
    });
    const [some] = verdicts([arm], [{ ...weak, validation: 0.9 }, strong], subjects(n));
    expect(some).toMatchObject({ against: "sft", chosen_on: "these questions" });
    expect(verdictSentence(found!)).toContain("against majority, the best baseline on validation questions; p ");
  });

  it("is slower to say worse where the best of several was chosen on these questions", () => {
    const behind = { name: "arm", values: answers(0.62, n, "behind") };
    const many = [strong, ...[1, 2, 3, 4].map((b) => ({ name: `b${b}`, values: answers(0.6, n, "b", b) }))];
    const [tested] = verdicts([behind], many, subjects(n));
    const [chosen] = verdicts(
      [behind],
      many.map((one) => ({ ...one, validation: one === strong ? 0.7 : 0.6 })),
      subjects(n),
    );
    expect(chosen).toMatchObject({ verdict: "worse", against: "sft", chosen_on: "validation" });
    expect(chosen!.p).toBeGreaterThan(0.01);
    expect(tested).toMatchObject({ verdict: "not_shown", against: "sft", chosen_on: "these questions" });
  });

  it("can only lose the word improved by a further baseline", () => {
    let improved = 0;
    for (let i = 0; i < 60; i++) {
      const one = { name: "arm", values: answers(0.65, 120, "arm", i) };
      const few = Array.from({ length: 3 }, (_, b) => ({ name: `b${b}`, values: answers(0.5, 120, "few", i, b) }));
      const before = few.map((_, b) => verdicts([one], few.slice(0, b + 1), subjects(120), { resamples: 300 })[0]!);
      for (const [b, { verdict }] of before.entries()) {
        if (verdict === "improved") improved++;
        if (b > 0 && before[b - 1]!.verdict !== "improved") expect(verdict).not.toBe("improved");
        if (b > 0) expect(before[b]!.p).toBeGreaterThanOrEqual(verdict === "worse" ? 0 : before[b - 1]!.p);
      }
    }
    expect(improved).toBeGreaterThan(20);
  });

  it("does not depend on the arms' order, and corrects for their number", () => {
    const arms = [arm, { name: "b", values: answers(0.75, n, "b") }, { name: "c", values: answers(0.5, n, "c") }];
    const forward = verdicts(arms, [weak, strong], subjects(n));
    const backward = [...verdicts([...arms].reverse(), [weak, strong], subjects(n))].reverse();
    expect(backward).toEqual(forward);
    const [alone] = verdicts([arms[1]!], [weak, strong], subjects(n));
    expect(forward[1]!.p).toBe(alone!.p);
    expect(forward[1]!.p_holm).toBeGreaterThan(alone!.p_holm);
  });

  it("calls an arm improved that equals its baseline in at most 5 % of 10,000 nulls", () => {
    let improved = 0;
    let worse = 0;
    const [nulls, questions] = [10_000, 60];
    for (let i = 0; i < nulls; i++) {
      const values = (name: string) => ({ name, values: answers(0.6, questions, name, i) });
      const [found] = verdicts([values("arm")], [values("equal")], subjects(questions), { resamples: 200, seed: i });
      if (found!.verdict === "improved") improved++;
      if (found!.verdict === "worse") worse++;
    }
    expect(improved / nulls).toBeLessThanOrEqual(0.05);
    expect(improved / nulls).toBeGreaterThan(0.005); // a gate that never opens would pass the line above
    expect(worse / nulls).toBeLessThanOrEqual(0.05);
  });
});
