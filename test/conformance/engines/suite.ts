/**
 * What every engine must do, whatever computes it: one suite, run on this machine's engine and on servers. What an engine
 * does otherwise is listed where it is opened, each case with its reason, and skipped under that name.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { plainVariant } from "../../../src/algorithms/algorithm.ts";
import { defaultLossNumbers, type TokenLossName } from "../../../src/algorithms/index.ts";
import { UserError } from "../../../src/core/errors.ts";
import type { Prompt } from "../../../src/core/records.ts";
import {
  type OptimStep,
  plainScoring,
  type TokenBatch,
  type TrainingCompletion,
  type TrainingEngine,
} from "../../../src/engine/engine.ts";

export type CaseName = keyof typeof cases;

export interface Contender {
  /** A fresh engine, with adapters of rank 8. */
  open(): Promise<TrainingEngine>;
  /** Any prompt without an image, and six tokens to learn. */
  readonly prompt: Prompt;
  readonly tokens: Int32Array;
  /** The same prompt about a black and a white image; null where the model sees none. */
  readonly images: { readonly black: Prompt; readonly white: Prompt; readonly placeholder: number } | null;
  /** Cases that do not hold, and why. */
  readonly deviations?: Readonly<Partial<Record<CaseName, string>>>;
  /** A learning rate that moves this model's log-probs by some tenths in a step. */
  readonly rate: number;
  /** Largest difference of log-probs between sampling and training, and after loading. */
  readonly tolerance: { readonly sampler: number; readonly load: number };
}

/** A case of each kind on a fresh engine, which is closed behind it. */
export function describeEngine(name: string, contender: Contender): void {
  describe(name, () => {
    let engine: TrainingEngine;
    const folder = mkdtempSync(join(tmpdir(), "viva-engine-"));
    beforeAll(async () => {
      engine = await contender.open();
    });
    afterAll(async () => {
      await engine?.close();
      rmSync(folder, { recursive: true, force: true });
    });
    for (const [title, check] of Object.entries(cases)) {
      const reason = contender.deviations?.[title as CaseName];
      if (reason !== undefined) test.skip(`${title}: skipped, ${reason}`, () => {});
      else test(title, () => check({ ...contender, engine, folder }));
    }
  });
}

interface Case extends Contender {
  readonly engine: TrainingEngine;
  readonly folder: string;
}

const still: OptimStep = {
  ...{ learningRate: 0, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  ...{ weightDecay: 0, maxGradNorm: 0 },
};

/** In the order in which they run: later ones find the weights that earlier ones left. */
const cases = {
  async "completions carry the trainer's log-probs"({ engine, prompt, tolerance }: Case) {
    const [drawn] = await sampled(engine, prompt, { numGenerations: 3, temperature: 1 });
    expect(drawn!.map(({ tokenIds }) => tokenIds.length > 0)).toEqual([true, true, true]);
    const scored = await engine.policy.logProbs([{ prompt, completions: drawn!.map(asTarget) }], ownScoring);
    for (const [i, { logProbs }] of drawn!.entries()) {
      expect(logProbs.length).toBe(drawn![i]!.tokenIds.length);
      expect(difference(logProbs, scored.logProbs[i]!)).toBeLessThan(tolerance.sampler);
    }
  },

  async "an image has one vector, whatever stands beside it; an engine without a tower says so"({
    engine,
    images,
  }: Case) {
    if (images === null) return;
    const { black, white } = images;
    const both = await engine.policy.embed([black, white]).catch((error: unknown) => error);
    if (both instanceof Error) {
      expect(both).toBeInstanceOf(UserError);
      return expect(both.message).toContain("embeddings of images");
    }
    const [first, second] = both as readonly [Float32Array, Float32Array];
    expect(difference(first, second)).toBeGreaterThan(1e-3);
    expect(await engine.policy.embed([white])).toEqual([second]);
  },

  async "equal seeds repeat, other seeds and steps do not"({ engine, prompt }: Case) {
    const draw = async (change: object) => {
      const groups = await sampled(engine, prompt, { numGenerations: 4, temperature: 1, ...change });
      return groups[0]!.map(({ tokenIds }) => tokenIds.join()).join(" ");
    };
    const first = await draw({});
    expect(await draw({})).toBe(first);
    expect(await draw({ seed: 2 })).not.toBe(first);
    expect(await draw({ step: 9 })).not.toBe(first);
  },

  async "the gradient of two calls is that of one"({ tokens, engine, prompt }: Case) {
    const a = { ...target(tokens), weight: 0.5 };
    const b = { ...target(tokens.slice(0, 3)), weight: 0.25 };
    await engine.forwardBackward(supervised(prompt, [a, b]));
    const { gradNorm: together } = await engine.optimStep(still);
    await engine.forwardBackward(supervised(prompt, [a]));
    await engine.forwardBackward(supervised(prompt, [b]));
    const { gradNorm: apart } = await engine.optimStep(still);
    expect(apart / together).toBeCloseTo(1, 3);
  },

  async "weights multiply, completions of any length add up"({ tokens, engine, prompt }: Case) {
    const norm = async (...completions: TrainingCompletion[]) => {
      await engine.forwardBackward(supervised(prompt, completions));
      return (await engine.optimStep(still)).gradNorm;
    };
    const short = await norm(target(tokens.slice(0, 2)));
    expect((await norm({ ...target(tokens.slice(0, 2)), weight: 3 })) / short).toBeCloseTo(3, 2);
    const weights = Float32Array.of(1, 1, 0, 0, 0, 0);
    expect((await norm({ ...target(tokens), weight: weights })) / short).toBeCloseTo(1, 2);
    expect((await norm({ ...target(tokens), weight: weights }, target(tokens.slice(0, 2)))) / short).toBeCloseTo(2, 2);
  },

  async "a clipped ratio has no gradient, any other its own"({ tokens, engine, prompt }: Case) {
    const own = (await engine.policy.logProbs([{ prompt, completions: [target(tokens)] }], ownScoring)).logProbs[0]!;
    const norm = async (loss: TokenLossName, advantage: number, ratio: number) => {
      const oldLogProbs = own.map((value) => value - Math.log(ratio));
      const completion = { tokenIds: tokens, weight: 1, advantage, oldLogProbs };
      const result = await engine.forwardBackward(policyBatch(loss, prompt, completion));
      return { ...result, ...(await engine.optimStep(still)) };
    };
    const plain = (await norm("reinforce", 1, 1)).gradNorm;
    const clip = async (advantage: number, ratio: number) => norm("clip", advantage, ratio);
    for (const [advantage, ratio, expected, bounded] of [
      [1, 1.1, 1.1, 1.1],
      [1, 1.5, 0, 1.2],
      [1, 0.5, 0.5, 0.5],
      [-1, 0.5, 0, 0.8],
      [-1, 1.5, 1.5, 1.5],
    ] as const) {
      const { gradNorm, loss } = await clip(advantage, ratio);
      expect(gradNorm / plain, `advantage ${advantage}, ratio ${ratio}`).toBeCloseTo(expected, 2);
      expect(loss).toBeCloseTo(-advantage * bounded * tokens.length, 2);
    }
    expect((await norm("cispo", 1, 7)).gradNorm / plain).toBeCloseTo(5, 1);
  },

  async "the loss of a supervised batch is the negative log-prob, and one datum is learned by heart"(o: Case) {
    const { tokens, engine, prompt, rate } = o;
    const losses: number[] = [];
    while (losses.length < 60 && !(losses.at(-1)! < 0.15 * losses[0]!)) {
      const { loss, logProbs } = await engine.forwardBackward(supervised(prompt, [target(tokens)]));
      expect(loss).toBeCloseTo(-sum(logProbs[0]!), 3);
      losses.push(loss);
      await engine.optimStep({ ...still, learningRate: rate });
    }
    expect(losses.at(-1)!).toBeLessThan(0.2 * losses[0]!);
    const [[greedy]] = (await sampled(engine, prompt, { numGenerations: 1, temperature: 0 })) as [[Drawn]];
    expect([...greedy.tokenIds]).toEqual([...tokens]);
  },

  async "samples after an update are those of the new weights"({ engine, prompt, tolerance, rate }: Case) {
    const [[before]] = (await sampled(engine, prompt, { numGenerations: 1, temperature: 0 })) as [[Drawn]];
    await engine.resetOptimizer();
    await engine.forwardBackward(policyBatch("reinforce", prompt, { ...asTarget(before), advantage: -1 }));
    await engine.optimStep({ ...still, learningRate: rate });
    const scored = await engine.policy.logProbs([{ prompt, completions: [asTarget(before)] }], ownScoring);
    expect(sum(scored.logProbs[0]!)).toBeLessThan(sum(before.logProbs) - 0.01);
    const [[after]] = (await sampled(engine, prompt, { numGenerations: 1, temperature: 0 })) as [[Drawn]];
    const again = await engine.policy.logProbs([{ prompt, completions: [asTarget(after)] }], ownScoring);
    expect(difference(after.logProbs, again.logProbs[0]!)).toBeLessThan(tolerance.sampler);
  },

  async "the reference stays as it was, and its KL term pulls back"({ tokens, engine, prompt, rate }: Case) {
    const score = async (of: "policy" | "reference") => {
      const policy = of === "policy" ? engine.policy : engine.reference!;
      return (await policy.logProbs([{ prompt, completions: [target(tokens)] }], ownScoring)).logProbs[0]!;
    };
    await engine.freezeReference(true);
    const frozen = await score("reference");
    expect(difference(frozen, await score("policy"))).toBeLessThan(1e-4);
    await engine.resetOptimizer();
    await engine.forwardBackward(policyBatch("reinforce", prompt, { ...target(tokens), advantage: -1 }));
    await engine.optimStep({ ...still, learningRate: rate / 3 });
    expect(difference(await score("reference"), frozen)).toBeLessThan(1e-5);
    const away = await score("policy");
    expect(sum(away)).toBeLessThan(sum(frozen));
    const held = { ...target(tokens), advantage: 0, oldLogProbs: away, refLogProbs: frozen };
    const batch = policyBatch("clip", prompt, held);
    const { loss } = batch;
    const variant = { ...loss.variant, klEstimator: "k3" as const };
    await engine.resetOptimizer();
    await engine.forwardBackward({ ...batch, loss: { ...loss, variant, numbers: { ...loss.numbers, beta: 1 } } });
    await engine.optimStep({ ...still, learningRate: rate / 10 });
    expect(sum(await score("policy"))).toBeGreaterThan(sum(away));
    await engine.freezeReference(false);
    expect(engine.reference).toBe(null);
  },

  async "saved and loaded into a new engine, it is the same model"(o: Case) {
    const { tokens, engine, prompt, folder, tolerance } = o;
    const checkpoint = join(folder, "saved");
    await engine.save(checkpoint, { training: true });
    const saved = await engine.policy.logProbs([{ prompt, completions: [target(tokens)] }], ownScoring);
    const other = await o.open();
    try {
      await other.load(checkpoint);
      const loaded = await other.policy.logProbs([{ prompt, completions: [target(tokens)] }], ownScoring);
      expect(difference(loaded.logProbs[0]!, saved.logProbs[0]!)).toBeLessThanOrEqual(tolerance.load);
    } finally {
      await other.close();
    }
  },

  async "saved and loaded into a new engine, its next update is the same"(o: Case) {
    const { tokens, engine, prompt, folder, tolerance, rate } = o;
    const checkpoint = join(folder, "moments");
    await engine.save(checkpoint, { training: true });
    const after = async (of: TrainingEngine) => {
      await of.forwardBackward(supervised(prompt, [{ ...target(tokens), weight: -1 }]));
      await of.optimStep({ ...still, learningRate: rate });
      return (await of.policy.logProbs([{ prompt, completions: [target(tokens)] }], ownScoring)).logProbs[0]!;
    };
    const other = await o.open();
    try {
      await other.load(checkpoint);
      // The same moments make the same update.
      expect(difference(await after(other), await after(engine))).toBeLessThan(10 * tolerance.load + 1e-4);
    } finally {
      await other.close();
    }
  },

  async "a new stage begins without moments"({ tokens, engine, prompt, rate }: Case) {
    // With a gradient of zero, only moments move weights.
    await engine.forwardBackward(supervised(prompt, [target(tokens)]));
    await engine.optimStep({ ...still, learningRate: rate });
    const score = async () => {
      return (await engine.policy.logProbs([{ prompt, completions: [target(tokens)] }], ownScoring)).logProbs[0]!;
    };
    await engine.resetOptimizer();
    const before = await score();
    await engine.forwardBackward(supervised(prompt, [{ ...target(tokens), weight: 0 }]));
    await engine.optimStep({ ...still, learningRate: rate });
    expect(difference(await score(), before)).toBeLessThan(1e-5);
  },

  async "a black and a white image have other log-probs, and the sampler sees them"({
    tokens,
    engine,
    images,
    tolerance,
  }: Case) {
    if (images === null) throw new Error("list this case among the deviations");
    const score = async (prompt: Prompt) => {
      return (await engine.policy.logProbs([{ prompt, completions: [target(tokens)] }], ownScoring)).logProbs[0]!;
    };
    expect(difference(await score(images.black), await score(images.white))).toBeGreaterThan(1e-4);
    for (const prompt of [images.black, images.white]) {
      const [[drawn]] = (await sampled(engine, prompt, { numGenerations: 1, temperature: 1 })) as [[Drawn]];
      const scored = await engine.policy.logProbs([{ prompt, completions: [asTarget(drawn)] }], ownScoring);
      expect(difference(drawn.logProbs, scored.logProbs[0]!)).toBeLessThan(tolerance.sampler);
    }
  },

  async "an image with a wrong number of tokens is refused"({ tokens, engine, images }: Case) {
    if (images === null) throw new Error("list this case among the deviations");
    const { black, placeholder } = images;
    const at = black.tokenIds.indexOf(placeholder);
    const longer = Int32Array.from([...black.tokenIds.slice(0, at), placeholder, ...black.tokenIds.slice(at)]);
    const prompt = { ...black, tokenIds: longer };
    await expect(engine.policy.logProbs([{ prompt, completions: [target(tokens)] }], ownScoring)).rejects.toThrow();
  },
} as const;

interface Drawn {
  readonly tokenIds: Int32Array;
  readonly logProbs: Float32Array;
}

/** The policy's own distribution at temperature 1, as completions are drawn. */
const ownScoring = { temperature: 1, topP: 1, topK: 0 } as const;

async function sampled(engine: TrainingEngine, prompt: Prompt, change: object): Promise<Drawn[][]> {
  const groups: Drawn[][] = [];
  const o = {
    ...{ numGenerations: 1, maxCompletionLength: 6, temperature: 1, topP: 1, topK: 0 },
    ...{ seed: 1, step: 1, ...change },
  };
  for await (const { index, completions } of engine.policy.sample([prompt], o)) groups[index] = [...completions];
  return groups;
}

const target = (tokenIds: Int32Array): TrainingCompletion => ({ tokenIds, weight: 1, advantage: 0 });
const asTarget = ({ tokenIds }: Pick<Drawn, "tokenIds">): TrainingCompletion => target(tokenIds);

function supervised(prompt: Prompt, completions: readonly TrainingCompletion[]): TokenBatch {
  const loss = { name: "supervised", variant: plainVariant, numbers: defaultLossNumbers } as const;
  return { groups: [{ prompt, completions }], scoring: plainScoring, loss };
}

function policyBatch(name: TokenLossName, prompt: Prompt, completion: TrainingCompletion): TokenBatch {
  const oldLogProbs = completion.oldLogProbs ?? new Float32Array(completion.tokenIds.length);
  const onPolicy = completion.oldLogProbs === undefined;
  return {
    groups: [{ prompt, completions: [{ ...completion, oldLogProbs }] }],
    scoring: ownScoring,
    loss: { name, variant: { ...plainVariant, onPolicy }, numbers: { ...defaultLossNumbers, ...capOf[name] } },
  };
}

/** Losses share a number whose default is the clip's. */
const capOf: Readonly<Partial<Record<TokenLossName, object>>> = { cispo: { epsilonHigh: 5 } };

function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

const sum = (values: Float32Array) => values.reduce((a, b) => a + b, 0);
