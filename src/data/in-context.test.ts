import { describe, expect, it } from "vitest";
import type { Example } from "../core/records.ts";
import { inContextExamples } from "./in-context.ts";

const example = (i: number, subject: string, answer = i % 4 === 0 ? "yes" : "no"): Example => ({
  ...{ id: `e${i}`, subjectId: subject, question: `question ${i}`, images: [], answer, answerType: "closed" },
  ...{ choices: [], meta: {} },
});
const pool = Array.from({ length: 40 }, (_, i) => example(i, `s${i % 5}`));

describe("solved examples in the prompt", () => {
  it("are never of the question's subject, nor twice the same", () => {
    for (const fixed of [true, false]) {
      for (const question of pool) {
        const shots = inContextExamples(pool, { count: 4, fixed, seed: 3 })(question);
        expect(shots.length).toBe(4);
        expect(new Set(shots).size).toBe(4);
        expect(shots.some(({ subjectId }) => subjectId === question.subjectId)).toBe(false);
      }
    }
  });

  it("are the first ones where they are fixed, else drawn by seed and question alone", () => {
    const other = example(99, "other");
    const ids = (o: { fixed?: boolean; seed: number }) =>
      inContextExamples(pool, { count: 2, ...o })(other).map(({ id }) => id);
    expect(ids({ fixed: true, seed: 1 })).toEqual(["e0", "e1"]);
    expect(ids({ seed: 1 })).toEqual(ids({ seed: 1 }));
    const drawn = pool.map((question) => inContextExamples(pool, { count: 1, seed: 1 })(question)[0]!.id);
    expect(new Set(drawn).size).toBeGreaterThan(10);
    expect(pool.map((question) => inContextExamples(pool, { count: 1, seed: 2 })(question)[0]!.id)).not.toEqual(drawn);
  });

  it("are balanced by answer to one, and in no fixed order", () => {
    const firsts = new Set<string>();
    for (const count of [2, 4, 7]) {
      for (const question of pool) {
        const shots = inContextExamples(pool, { count, balanced: true, seed: 0 })(question);
        const yes = shots.filter(({ answer }) => answer === "yes").length;
        expect(Math.abs(2 * yes - count)).toBeLessThanOrEqual(1);
        firsts.add(shots[0]!.answer);
      }
    }
    expect(firsts.size).toBe(2);
  });

  it("are found where little is allowed, and refused where there is too little", () => {
    const most = [...Array.from({ length: 500 }, (_, i) => example(i, "same")), example(900, "other")];
    expect(inContextExamples(most, { count: 1, seed: 0 })(most[0]!).map(({ id }) => id)).toEqual(["e900"]);
    expect(() => inContextExamples(most, { count: 2, seed: 0 })(most[0]!)).toThrow(
      'example "e0": 2 solved examples in its prompt, and the training data have 1 of other subjects',
    );
    expect(inContextExamples([], { count: 0, seed: 0 })(most[0]!)).toEqual([]);
  });
});
