import { describe, expect, it } from "vitest";
import { randomKey, uniform } from "../../core/random.ts";
import type { Example } from "../../core/records.ts";
import { scoreItems } from "../score.ts";
import { crossingOf, scaleSweep } from "./scale.ts";
import { tableBlock } from "./table-block.ts";

/** A table of two values whose difference decides, with a little noise; two questions to each patient. */
const patients = (name: string, n: number): readonly Example[] =>
  Array.from({ length: n }, (_, i) => {
    const at = (c: number) => uniform(randomKey(7, name, Math.floor(i / 2)), c);
    const [a, b] = [10 * at(0), 10 * at(1)];
    return {
      ...{ id: `${name}${i}`, subjectId: `${name}${Math.floor(i / 2)}`, question: "Will it rise?", images: [] },
      ...{ answer: a - b + at(2) - 0.5 > 0 ? "yes" : "no", answerType: "closed", choices: [], meta: {} },
      facts: { table: { a, b } },
    };
  });

describe("the scale sweep", () => {
  it("finds from how many rows on a regression beats a model that is right in seven of ten", async () => {
    const [examples, train] = [patients("test", 200), patients("train", 400)];
    const right = (i: number) => uniform(randomKey(1, "model", i), 0) < 0.7;
    const said = examples.map(({ answer }, i) => (right(i) ? answer : answer === "yes" ? "no" : "yes"));
    const items = scoreItems(
      examples,
      said.map((text) => [{ text }]),
      { style: "plain" },
    );
    const { rows, crossing } = await scaleSweep(["lr"], examples, train, items, {
      ...{ sizes: [10, 100, null, 1000], draws: 3, seed: 0, protocol: "viva" },
      blocksOf: (part) => [tableBlock(part)],
    });
    expect(rows.map(({ n, draws }) => [n, draws])).toEqual([
      [10, 3],
      [100, 3],
      [400, 1],
    ]);
    expect(rows[2]!.accuracy).toBeGreaterThan(0.9);
    expect(rows[0]!.accuracy).toBeLessThan(rows[2]!.accuracy);
    expect([10, 100, 400]).toContain(crossing["lr"]);
  });

  it("crosses where all larger sizes win too", () => {
    const row = (n: number, low: number) => ({ model: "lr" as const, n, difference: { estimate: low, low, high: 1 } });
    expect(crossingOf([row(10, 0.1), row(30, -0.1), row(100, 0.1), row(300, 0.2)], "lr")).toBe(100);
    expect(crossingOf([row(10, 0.1), row(30, 0)], "lr")).toBeNull();
  });
});
