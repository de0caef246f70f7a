/**
 * Thirty tiny steps of every algorithm, pinned: loss and gradient norm may only change with a reason. After such a change
 * UPDATE_GOLDEN=1 npx vitest run test/trajectories writes test/golden/trajectories.json anew.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { drGrpo, grpo, type Point, type Run, sft, trajectory } from "./training.ts";

const path = fileURLToPath(new URL("../golden/trajectories.json", import.meta.url));
const update = process.env["UPDATE_GOLDEN"] === "1";
const golden: Readonly<Record<string, readonly Point[]>> = existsSync(path)
  ? JSON.parse(readFileSync(path, "utf8"))
  : {};

const pinned: Readonly<Record<string, Run>> = {
  sft: { settings: sft, steps: 30, answers: "given" },
  // Off-policy second updates and a KL term: every part of the loss.
  grpo: { settings: { ...grpo, num_iterations: 2, beta: 0.1, epsilon: 0.02 }, steps: 30, answers: "given" },
  dr_grpo: { settings: drGrpo, steps: 30, answers: "given" },
};

const written = new Map<string, readonly Point[]>();

function expectSame(found: readonly Point[], expected: readonly Point[]): void {
  expect(found.length).toBe(expected.length);
  for (const [step, point] of expected.entries()) {
    for (const key of ["loss", "grad_norm"] as const) {
      const difference = Math.abs(found[step]![key] - point[key]);
      expect(difference, `${key} of step ${step + 1}: ${found[step]![key]} for ${point[key]}`).toBeLessThan(
        1e-3 * Math.abs(point[key]) + 1e-6,
      );
    }
  }
}

describe.each(Object.entries(pinned))("%s", (name, run) => {
  test("thirty steps are the pinned ones, in one micro-batch and in many", async () => {
    const found = await trajectory(run);
    if (update) written.set(name, found);
    else expectSame(found, golden[name] ?? []);
    expectSame(await trajectory({ ...run, microBatchTokens: 80 }), found);
  });
});

afterAll(() => {
  if (!update) return;
  const lines = [...written].map(([name, points]) => {
    return `  ${JSON.stringify(name)}: [\n${points.map((point) => `    ${JSON.stringify(point)}`).join(",\n")}\n  ]`;
  });
  writeFileSync(path, `{\n${lines.join(",\n")}\n}\n`);
});

test("supervised training learns its targets", () => {
  const points = (update ? written.get("sft") : golden["sft"])!;
  expect(points.at(-1)!.loss).toBeLessThan(0.5 * points[0]!.loss);
});

describe("equal settings give one trajectory, number for number", () => {
  const short = (settings: Run["settings"], stopTokenIds: readonly number[] = []): Promise<Point[]> =>
    trajectory({ settings, steps: 6, answers: "sampled", stopTokenIds });
  /** About one token in five: completions of many lengths. */
  const stops = Array.from({ length: 80 }, (_, i) => 5 * i);

  test("the same run twice", async () => {
    expect(await short(grpo, stops)).toEqual(await short(grpo, stops));
  });

  test("dapo's and grpo's averages are one where all completions have one length, and differ elsewhere", async () => {
    const dapo = { ...grpo, loss_type: "dapo" as const };
    expect(await short(dapo)).toEqual(await short(grpo));
    expect(await short(dapo, stops)).not.toEqual(await short(grpo, stops));
    // There, dr_grpo's constant is every completion's length too.
    expect(await short({ ...grpo, loss_type: "dr_grpo" })).toEqual(await short(grpo));
  });

  test("bnpo is dapo", async () => {
    const [bnpo, dapo] = (["bnpo", "dapo"] as const).map((loss_type) => short({ ...grpo, loss_type }, stops));
    expect(await bnpo).toEqual(await dapo);
  });

  test("dr_grpo is grpo with dr_grpo's average and no scaling", async () => {
    const named = await short(drGrpo, stops);
    expect(await short({ ...grpo, loss_type: "dr_grpo", scale_rewards: "none" }, stops)).toEqual(named);
    expect(await short({ ...grpo, loss_type: "dr_grpo" }, stops)).not.toEqual(named);
    expect(await short({ ...grpo, scale_rewards: "none" }, stops)).not.toEqual(named);
  });

  test("an estimator without beta, a cap that nothing reaches, epsilon_high said or not", async () => {
    const off = { ...grpo, num_iterations: 2, epsilon: 0.02 };
    const expected = await short(off, stops);
    expect(await short({ ...off, kl_estimator: "k1" }, stops)).toEqual(expected);
    expect(await short({ ...off, delta: 1e6 }, stops)).toEqual(expected);
    expect(await short({ ...off, epsilon_high: 0.02 }, stops)).toEqual(expected);
    expect(await short({ ...off, epsilon_high: 0.5 }, stops)).not.toEqual(expected);
  });

  test("the clip range does not matter to on-policy updates", async () => {
    expect(await short({ ...grpo, epsilon: 0.001 }, stops)).toEqual(await short(grpo, stops));
  });
});
