/**
 * Thirty tiny steps of every algorithm, pinned: loss and gradient norm may only change with a reason. After such a change
 * UPDATE_GOLDEN=1 npx vitest run test/trajectories rewrites test/golden/trajectories.json.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import {
  closeCores,
  drGrpo,
  grpo,
  type Point,
  pairs,
  pairsOf,
  type Run,
  settingsOf,
  sft,
  softQ,
  trajectory,
} from "./training.ts";

const path = fileURLToPath(new URL("../golden/trajectories.json", import.meta.url));
const update = process.env["UPDATE_GOLDEN"] === "1";
const golden: Readonly<Record<string, readonly Point[]>> = existsSync(path)
  ? JSON.parse(readFileSync(path, "utf8"))
  : {};

const offPolicy = { num_iterations: 2, beta: 0.05 };
const thirty = { steps: 30, answers: "given" } as const;

interface Pinned extends Run {
  /** Times the tolerance that others keep; default 1. */
  readonly looser?: number;
  /** Steps of the second run, in many micro-batches; default all. */
  readonly splitUntil?: number;
}

const pinned: Readonly<Record<string, Pinned>> = {
  sft: { settings: sft, steps: 30, answers: "given" },
  // Off-policy second updates and a KL term: every part of the loss.
  grpo: { settings: { ...grpo, num_iterations: 2, beta: 0.1, epsilon: 0.02 }, steps: 30, answers: "given" },
  dr_grpo: { settings: drGrpo, steps: 30, answers: "given" },
  // Two mini-batches per rollout; the second is off-policy. Prompts with equal rewards are replaced.
  dapo: { settings: { ...settingsOf("dapo"), steps_per_generation: 2 }, steps: 30, answers: "given" },
  gspo: { settings: { ...settingsOf("gspo"), ...offPolicy, epsilon: 0.02, epsilon_high: 0.03 }, ...thirty },
  cispo: { settings: { ...settingsOf("cispo"), ...offPolicy, epsilon_high: 1.05 }, ...thirty },
  sapo: { settings: { ...settingsOf("sapo"), ...offPolicy }, ...thirty },
  rloo: { settings: { ...settingsOf("rloo"), ...offPolicy }, ...thirty },
  opo: { settings: settingsOf("opo"), ...thirty },
  reinforce: {
    settings: { ...settingsOf("reinforce"), entropy_coef: 0.02, mask_truncated_completions: true },
    ...thirty,
  },
  gdpo: { settings: settingsOf("gdpo"), ...thirty, rises: 0.3 },
  // A weight's share jumps from 0 where two importances cross, so rounding decides which side a few of them are on.
  spider: { settings: { ...sft, importance_masking: "spider" }, ...thirty, looser: 30 },
  soft_q: { settings: softQ, ...thirty, splitUntil: 6 },
  random_mask: { settings: { ...grpo, importance_masking: "random" }, ...thirty },
  // Advantages of their own for each token, off policy and with a KL term.
  process: { settings: { ...grpo, ...offPolicy, shaping: "process", process_reward: "even" }, ...thirty },
  // Certainties enter as z-scores of their group, which make much of rounding where they hardly differ.
  ucas: { settings: { ...grpo, ...offPolicy, shaping: "ucas" }, ...thirty, looser: 3 },
  uadt: { settings: { ...grpo, ...offPolicy, shaping: "uadt", uadt_correct: "even" }, ...thirty },
  guideline: {
    settings: {
      ...{ ...grpo, ...offPolicy, shaping: "guideline", guideline_reward: "even", num_generations: 2 },
      paradigms: { plain: "", other: "ab" },
    },
    ...thirty,
  },
  dpo: { settings: pairsOf("dpo"), ...thirty },
  mdpo: { settings: { ...pairsOf("mdpo"), anchor: 0.1 }, ...thirty, pairs },
  reward_model: { settings: { ...pairsOf("reward_model"), center: 0.01 }, ...thirty, pairs },
  rc_reward_model: { settings: pairsOf("rc_reward_model"), ...thirty, pairs },
  rc_dpo: { settings: { ...pairsOf("rc_dpo"), pair_balance: "length" }, ...thirty, pairs },
};

const written = new Map<string, readonly Point[]>();

function expectSame(found: readonly Point[], expected: readonly Point[], looser = 1): void {
  expect(found.length).toBe(expected.length);
  for (const key of ["loss", "grad_norm"] as const) {
    // A loss that weights log-probs is a small difference of large terms, so its rounding error scales with those.
    const rounding = Math.max(1e-6, 1e-5 * Math.max(...expected.map((point) => Math.abs(point[key]))));
    for (const [step, point] of expected.entries()) {
      const difference = Math.abs(found[step]![key] - point[key]);
      expect(difference, `${key} of step ${step + 1}: ${found[step]![key]} for ${point[key]}`).toBeLessThan(
        looser * (1e-3 * Math.abs(point[key]) + rounding),
      );
    }
  }
}

describe.each(Object.entries(pinned))("%s", (name, run) => {
  test("thirty steps match the pinned ones, in one micro-batch and in many", async () => {
    const found = await trajectory(run);
    if (update) written.set(name, found);
    else expectSame(found, golden[name] ?? [], run.looser);
    const until = run.splitUntil ?? run.steps;
    expectSame(await trajectory({ ...run, until, microBatchTokens: 80 }), found.slice(0, until), run.looser);
  });
});

afterAll(closeCores);
afterAll(() => {
  if (!update) return;
  const lines = [...written].map(([name, points]) => {
    return `  ${JSON.stringify(name)}: [\n${points.map((point) => `    ${JSON.stringify(point)}`).join(",\n")}\n  ]`;
  });
  writeFileSync(path, `{\n${lines.join(",\n")}\n}\n`);
});

test("preference training starts at ln 2, where policy and reference are equal, and falls", () => {
  const points = (update ? written.get("dpo") : golden["dpo"])!;
  expect(points[0]!.loss).toBeCloseTo(Math.LN2, 6);
  expect(points.at(-1)!.loss).toBeLessThan(Math.LN2);
});

test("of three terms, with policy and reference equal, each is ln 2", () => {
  for (const kind of ["rc_dpo"]) {
    const points = (update ? written.get(kind) : golden[kind])!;
    expect(points[0]!.loss).toBeCloseTo(3 * Math.LN2, 6);
    expect(points.at(-1)!.loss).toBeLessThan(points[0]!.loss);
  }
});

test("supervised training learns its targets", () => {
  const points = (update ? written.get("sft") : golden["sft"])!;
  expect(points.at(-1)!.loss).toBeLessThan(0.5 * points[0]!.loss);
});

describe("equivalent settings give identical trajectories", () => {
  const run = (settings: Run["settings"], stopTokenIds: readonly number[] = []): Promise<Point[]> =>
    trajectory({ settings, steps: 6, answers: "sampled", stopTokenIds });
  const runs = new Map<string, Promise<Point[]>>();
  /** A run that others may be compared with too: each is done once. */
  const short = (...asked: Parameters<typeof run>): Promise<Point[]> => {
    const key = JSON.stringify(asked);
    if (!runs.has(key)) runs.set(key, run(...asked));
    return runs.get(key)!;
  };
  /** About one token in five: completions of many lengths. */
  const stops = Array.from({ length: 80 }, (_, i) => 5 * i);

  test("the same run twice", async () => {
    expect(await run(grpo, stops)).toEqual(await short(grpo, stops));
  });

  test("dapo's and grpo's averages agree if all completions have the same length, and differ otherwise", async () => {
    const dapo = { ...grpo, loss_type: "dapo" as const };
    expect(await short(dapo)).toEqual(await short(grpo));
    expect(await short(dapo, stops)).not.toEqual(await short(grpo, stops));
    // With equal lengths, dr_grpo's constant is every completion's length too.
    expect(await short({ ...grpo, loss_type: "dr_grpo" })).toEqual(await short(grpo));
  });

  test("bnpo equals dapo, unless a rollout has several optimiser steps of unequal lengths", async () => {
    const pair = (change: object, stopTokenIds: readonly number[]) =>
      Promise.all(
        (["bnpo", "dapo"] as const).map((loss_type) => short({ ...grpo, ...change, loss_type }, stopTokenIds)),
      );
    const [bnpo, dapo] = await pair({}, stops);
    expect(bnpo).toEqual(dapo);
    const [equal, alike] = await pair({ steps_per_generation: 2 }, []);
    expect(equal).toEqual(alike);
    const [own, rollout] = await pair({ steps_per_generation: 2 }, stops);
    expect(own).not.toEqual(rollout);
  });

  test("a kind equals its options", async () => {
    const { kind: _, ...options } = { ...settingsOf("cispo"), num_iterations: 2 };
    expect(await short({ ...grpo, ...options }, stops)).toEqual(
      await short({ ...settingsOf("cispo"), num_iterations: 2 }, stops),
    );
  });

  test("gspo equals grpo on policy, and off policy for single-token completions", async () => {
    const sequence = { importance_sampling_level: "sequence" as const };
    // Other programs, so other rounding.
    expectSame(await short({ ...grpo, ...sequence }, stops), await short(grpo, stops));
    const off = { ...grpo, num_iterations: 2, epsilon: 0.02, beta: 0.1 };
    const single = { ...off, max_completion_length: 1 };
    expectSame(await short({ ...single, ...sequence }), await short(single));
    expect(await short({ ...off, ...sequence }, stops)).not.toEqual(await short(off, stops));
  });

  test("on policy, cispo and reinforce agree, and follow the gradient of clip and sapo", async () => {
    const [clip, cispo, sapo, reinforce] = await Promise.all(
      (["clip", "cispo", "sapo", "reinforce"] as const).map((token_loss) => short({ ...grpo, token_loss }, stops)),
    );
    expect(cispo).toEqual(reinforce);
    for (const other of [sapo!, reinforce!]) {
      const norms = (points: readonly Point[]) => points.map(({ grad_norm }) => ({ loss: 0, grad_norm }));
      expectSame(norms(other), norms(clip!));
    }
  });

  test("opo's baseline is the mean if all completions have the same length", async () => {
    const plain = { ...settingsOf("opo"), advantage: "group_relative" as const };
    expectSame(await short(settingsOf("opo")), await short(plain));
    expect(await short(settingsOf("opo"), stops)).not.toEqual(await short(plain, stops));
  });

  test("masking affects only truncated completions, an entropy bonus all", async () => {
    const every = Array.from({ length: 400 }, (_, i) => i);
    const masked = { ...grpo, mask_truncated_completions: true };
    expect(await short(masked, every)).toEqual(await short(grpo, every));
    expect(await short(masked, stops)).not.toEqual(await short(grpo, stops));
    expect(await short({ ...grpo, entropy_coef: 0.01 }, stops)).not.toEqual(await short(grpo, stops));
  });

  test("dr_grpo equals grpo with dr_grpo's average and no scaling", async () => {
    const named = await short(drGrpo, stops);
    expect(await short({ ...grpo, loss_type: "dr_grpo", scale_rewards: "none" }, stops)).toEqual(named);
    expect(await short({ ...grpo, loss_type: "dr_grpo" }, stops)).not.toEqual(named);
    expect(await short({ ...grpo, scale_rewards: "none" }, stops)).not.toEqual(named);
  });

  test("a KL estimator without beta, an unreachable cap and an explicit epsilon_high change nothing", async () => {
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
