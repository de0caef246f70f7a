import { afterAll, describe, expect, test } from "vitest";
import { grad } from "../compiler/grad.ts";
import { interpret } from "../compiler/interpret.ts";
import { sum, takeAlongLastAxis } from "../compiler/ops/index.ts";
import { input, type Params, type Program } from "../compiler/tensor.ts";
import { normal, randomKey, uniform } from "../core/random.ts";
import { float32, int32, type TensorData } from "../core/tensor-data.ts";
import { CompiledProgram } from "../runtime/session.ts";
import { EXCLUDED, entropy, type SamplingVariant, sampleToken, samplingLogProbs } from "./sampling.ts";

const V = 12;
const plain: SamplingVariant = { greedy: false, topK: 0, topP: false };

function program(variant: SamplingVariant): Program {
  const logits = input("logits", "float32", ["n", V]);
  const inputs = {
    logits,
    temperature: input("temperature", "float32", []),
    topP: input("topP", "float32", []),
    banned: input("banned", "float32", [V]),
    uniform: input("uniform", "float32", ["n"]),
    targets: input("targets", "int32", ["n"]),
  };
  const logProbs = samplingLogProbs(logits, variant, inputs);
  const scored = samplingLogProbs(logits, variant, inputs, inputs.targets);
  const target = takeAlongLastAxis(scored, inputs.targets);
  return {
    inputs,
    outputs: {
      logProbs,
      ...sampleToken(logProbs, variant, inputs.uniform),
      entropy: entropy(logProbs),
      target,
      gradient: grad(sum(target), [logits])[0]!,
    },
  };
}

interface Case {
  readonly variant: SamplingVariant;
  readonly logits: readonly (readonly number[])[];
  readonly temperature?: number;
  readonly topP?: number;
  readonly banned?: readonly number[];
  readonly uniforms?: readonly number[];
  readonly targets?: readonly number[];
}

type Outputs = Params<TensorData>;
const sessions = new Map<string, Promise<CompiledProgram>>();

/** Runs a case in ONNX Runtime, which both trains and samples. */
async function run(c: Case): Promise<Outputs> {
  const key = JSON.stringify(c.variant);
  const session = sessions.get(key) ?? CompiledProgram.compile(program(c.variant), { threads: 1 });
  sessions.set(key, session);
  return (await session).run(feedsOf(c));
}
afterAll(async () => {
  for (const session of sessions.values()) await (await session).release();
});

function feedsOf(c: Case): Params<TensorData> {
  const n = c.logits.length;
  const banned = new Float32Array(V);
  for (const id of c.banned ?? []) banned[id] = EXCLUDED;
  return {
    logits: float32([n, V], c.logits.flat()),
    temperature: float32([], [c.temperature ?? 1]),
    topP: float32([], [c.topP ?? 1]),
    banned: float32([V], banned),
    uniform: float32([n], c.uniforms ?? new Float32Array(n)),
    targets: int32([n], c.targets ?? new Int32Array(n)),
  };
}

const row = (logProbs: TensorData, i: number) => Array.from(logProbs.data.subarray(i * V, (i + 1) * V));
const logitsOf = (name: string | number, scale = 1.5) =>
  Array.from({ length: V }, (_, i) => Math.fround(scale * normal(randomKey(11, name), i)));

interface Kept {
  readonly topK?: number;
  readonly topP?: number;
  readonly banned?: readonly number[];
}

/** The distribution by its definition: temperature, banned tokens, top-k, top-p of the rest, renormalise. */
function reference(logits: readonly number[], temperature: number, o: Kept = {}): number[] {
  const scaled = logits.map((logit, i) => (o.banned?.includes(i) ? Number.NEGATIVE_INFINITY : logit / temperature));
  const order = Array.from(logits.keys()).sort((a, b) => scaled[b]! - scaled[a]!);
  const softmax = (ids: readonly number[]) => {
    const weights = ids.map((id) => Math.exp(scaled[id]!));
    const total = weights.reduce((a, b) => a + b, 0);
    return weights.map((weight) => weight / total);
  };
  let kept = o.topK ? order.slice(0, o.topK) : order;
  if (o.topP !== undefined) {
    const probs = softmax(kept);
    let before = 0;
    kept = kept.filter((_, i) => {
      const keep = before < o.topP!;
      before += probs[i]!;
      return keep;
    });
  }
  const probs = softmax(kept);
  return logits.map((_, id) => (kept.includes(id) ? probs[kept.indexOf(id)]! : 0));
}

const variants: readonly (readonly [string, SamplingVariant, Kept & { readonly temperature: number }])[] = [
  ["softmax", plain, { temperature: 1 }],
  ["temperature 0.7", plain, { temperature: 0.7 }],
  ["temperature 1.3, banned", plain, { temperature: 1.3, banned: [0, 5, 11] }],
  ["top-k 1", { ...plain, topK: 1 }, { temperature: 1, topK: 1 }],
  ["top-k 4", { ...plain, topK: 4 }, { temperature: 0.9, topK: 4 }],
  ["top-k above the vocabulary", { ...plain, topK: 50 }, { temperature: 1, topK: 50 }],
  ["top-p 0.8", { ...plain, topP: true }, { temperature: 1, topP: 0.8 }],
  ["top-p 0.001", { ...plain, topP: true }, { temperature: 1, topP: 0.001 }],
  [
    "top-k 6 then top-p 0.7, banned",
    { ...plain, topK: 6, topP: true },
    { temperature: 1.2, topK: 6, topP: 0.7, banned: [2, 3] },
  ],
];

describe.each(variants)("%s", (_, variant, o) => {
  const logits = Array.from({ length: 40 }, (_, i) => logitsOf(i));
  const { temperature, topP = 1, banned = [] } = o;

  test("log-probs match the reference, with exactly the same kept set", async () => {
    const found = await run({ variant, logits, temperature, topP, banned });
    for (const [i, own] of logits.entries()) {
      const expected = reference(own, temperature, o);
      for (const [id, logProb] of row(found.logProbs!, i).entries()) {
        const p = expected[id]!;
        if (p === 0) expect(Math.exp(logProb), `row ${i}, token ${id}`).toBe(0);
        else expect(logProb, `row ${i}, token ${id}`).toBeCloseTo(Math.log(p), 4);
      }
      const bits = expected.reduce((total, p) => (p === 0 ? total : total - p * Math.log(p)), 0);
      expect(found.entropy!.data[i]).toBeCloseTo(bits, 4);
    }
  });

  test("ONNX Runtime = interpreter", async () => {
    const c = { variant, logits, temperature, topP, banned, uniforms: logits.map((_, i) => uniform(randomKey(2), i)) };
    const found = await run(c);
    const expected = interpret(program(variant), feedsOf(c));
    expect(found.token).toEqual(expected.token);
    for (const name of ["logProb", "entropy", "target", "gradient"]) {
      for (const [i, value] of expected[name]!.data.entries()) {
        expect(Math.abs(found[name]!.data[i]! - value), name).toBeLessThan(1e-5 * Math.max(1, Math.abs(value)));
      }
    }
  });

  test("token frequencies match their probabilities", async () => {
    const own = logitsOf("frequencies", 1);
    const n = 20_000;
    const probs = reference(own, temperature, o);
    const same = Array.from({ length: n }, () => own);
    const counted = async (uniforms: readonly number[]) => {
      const { token, logProb, logProbs } = await run({ variant, logits: same, temperature, topP, banned, uniforms });
      const counts = new Array<number>(V).fill(0);
      for (const id of token!.data) counts[id]!++;
      // Two outputs of one program: each has its own rounding.
      const apart = Array.from(token!.data, (id, i) => Math.abs(logProb!.data[i]! - logProbs!.data[id]!));
      expect(apart.reduce((most, value) => Math.max(most, value), 0)).toBeLessThan(1e-5);
      return counts;
    };
    // Evenly spaced uniforms: every count equals its expectation, up to one at each edge.
    const even = await counted(same.map((_, i) => (i + 0.5) / n));
    for (const [id, p] of probs.entries()) {
      if (p === 0) expect(even[id]).toBe(0);
      else expect(Math.abs(even[id]! - n * p), `token ${id}`).toBeLessThan(1.5);
    }
    // Pearson's statistic of as many random uniforms stays below the 99.9 % quantile of 11 degrees of freedom.
    const drawn = await counted(same.map((_, i) => uniform(randomKey(4, "frequencies"), i)));
    const terms = probs.map((p, id) => (p === 0 ? drawn[id]! * 1e9 : (drawn[id]! - n * p) ** 2 / (n * p)));
    expect(terms.reduce((a, b) => a + b, 0)).toBeLessThan(31.3);
  });

  test("the smallest and the largest uniform give the first and the last token of non-zero probability", async () => {
    const uniforms = logits.map((_, i) => (i % 2 === 0 ? 0 : 1 - 2 ** -23));
    const { token } = await run({ variant, logits, temperature, topP, banned, uniforms });
    for (const [i, own] of logits.entries()) {
      const possible = reference(own, temperature, o).flatMap((p, id) => (p > 0 ? [id] : []));
      expect(token!.data[i]).toBe(i % 2 === 0 ? possible[0] : possible.at(-1));
    }
  });
});

test.each([256, 512, 4096])(
  "of %d tokens, summed in blocks, the right one is sampled and never a banned one",
  async (size) => {
    const key = randomKey(9, size);
    // Only every third token has non-zero probability; the others cover the edges of blocks, too.
    const weights = Array.from({ length: size }, (_, i) => (i % 3 === 1 ? 1 + uniform(key, i) : 0));
    const total = weights.reduce((a, b) => a + b, 0);
    const uniforms = Array.from({ length: 200 }, (_, i) =>
      i === 0 ? 0 : i === 1 ? 1 - 2 ** -24 : uniform(key, size + i),
    );
    const inputs = {
      logProbs: input("logProbs", "float32", ["n", size]),
      uniform: input("uniform", "float32", ["n"]),
    };
    const { token } = sampleToken(inputs.logProbs, plain, inputs.uniform);
    const logProbs = weights.map((weight) => (weight > 0 ? Math.log(weight / total) : EXCLUDED));
    const session = await CompiledProgram.compile({ inputs, outputs: { token } }, { threads: 1 });
    const found = await session.run({
      logProbs: float32([200, size], Float32Array.from(uniforms.flatMap(() => logProbs))),
      uniform: float32([200], Float32Array.from(uniforms)),
    });
    await session.release();
    const upTo = (end: number) => weights.slice(0, end).reduce((a, b) => a + b, 0) / total;
    for (const [i, id] of [...found.token!.data].entries()) {
      expect(weights[id]).toBeGreaterThan(0);
      expect(upTo(id)).toBeLessThanOrEqual(uniforms[i]! + 1e-6);
      expect(upTo(id + 1)).toBeGreaterThanOrEqual(uniforms[i]! - 1e-6);
    }
  },
);

describe("greedy", () => {
  const variant = { greedy: true, topK: 0, topP: false };

  test("takes the most likely token that is not banned, the first at ties, whatever the temperature and uniform", async () => {
    const tied = [0, 1, 5, 2, 5, 0, 0, 0, 0, 0, 0, 5];
    const logits = [logitsOf("a"), logitsOf("b"), tied];
    const best = (own: readonly number[], banned: readonly number[]) =>
      own.reduce((top, logit, id) => (!banned.includes(id) && (top < 0 || logit > own[top]!) ? id : top), -1);
    for (const banned of [[], [2, best(logits[0]!, [])]]) {
      for (const u of [0, 0.999]) {
        const uniforms = logits.map(() => u);
        const { token, logProb } = await run({ variant, logits, temperature: 0, uniforms, banned });
        expect([...token!.data]).toEqual(logits.map((own) => best(own, banned)));
        // Reported at temperature 1.
        for (const [i, own] of logits.entries()) {
          expect(logProb!.data[i]).toBeCloseTo(Math.log(reference(own, 1, { banned })[token!.data[i]!]!), 5);
        }
      }
    }
  });
});

describe("ties at the threshold", () => {
  // Four tokens tie: neither k = 2 nor a nucleus can separate them, so all four are kept.
  const tied = [0, 3, 0, 3, 0, 3, 0, 3, 0, 0, 0, 0];

  test.each([
    ["top-k 2", { ...plain, topK: 2 }, 1],
    ["top-p 0.3", { ...plain, topP: true }, 0.3],
  ] as const)("%s keeps all of them", async (_, variant, topP) => {
    const { logProbs } = await run({ variant, logits: [tied], topP });
    for (const [id, logProb] of row(logProbs!, 0).entries()) {
      expect(Math.exp(logProb)).toBeCloseTo(tied[id] === 3 ? 0.25 : 0, 6);
    }
  });
});

test("rows with their own temperature and top-p, some greedy, are bit-identical to separate runs", async () => {
  const logits = Array.from({ length: 30 }, (_, i) => logitsOf("mixed", i));
  const uniforms = logits.map((_, i) => uniform(randomKey(6), i));
  const kinds = [
    { variant: { ...plain, greedy: true }, temperature: 1, topP: 1 },
    { variant: plain, temperature: 4, topP: 1 },
    { variant: { ...plain, topP: true }, temperature: 3, topP: 0.8 },
  ] as const;
  const apart = await Promise.all(kinds.map((kind) => run({ ...kind, logits, uniforms })));
  const column = (of: (kind: (typeof kinds)[number]) => number) =>
    float32(
      [logits.length, 1],
      Float32Array.from(logits, (_, i) => of(kinds[i % 3]!)),
    );
  const inputs = {
    logits: input("logits", "float32", ["n", V]),
    temperature: input("temperature", "float32", ["n", 1]),
    topP: input("topP", "float32", ["n", 1]),
    banned: input("banned", "float32", [V]),
    uniform: input("uniform", "float32", ["n"]),
  };
  const variant = { greedy: "some", topK: 0, topP: true } as const;
  const outputs = sampleToken(samplingLogProbs(inputs.logits, variant, inputs), variant, inputs.uniform);
  const session = await CompiledProgram.compile({ inputs, outputs }, { threads: 1 });
  const found = await session.run({
    logits: float32([logits.length, V], Float32Array.from(logits.flat())),
    temperature: column(({ temperature }) => temperature),
    topP: column(({ topP }) => (topP < 1 ? topP : 2)),
    banned: float32([V], new Float32Array(V)),
    uniform: float32(
      [logits.length],
      Float32Array.from(uniforms, (u, i) => (i % 3 === 0 ? -1 : u)),
    ),
  });
  await session.release();
  for (const name of ["token", "logProb"]) {
    expect([...found[name]!.data], name).toEqual(logits.map((_, i) => apart[i % 3]![name]!.data[i]));
  }
  // The sampled token is not the most likely one everywhere.
  expect([...found.token!.data]).not.toEqual([...apart[0]!.token!.data]);
});

describe("targets", () => {
  const logits = [logitsOf("targets")];
  const order = Array.from(logits[0]!.keys()).sort((a, b) => logits[0]![b]! - logits[0]![a]!);
  const softmaxOver = (ids: readonly number[], of: number) =>
    logits[0]![of]! - Math.log(ids.reduce((total, id) => total + Math.exp(logits[0]![id]!), 0));

  test.each([
    ["top-k", { ...plain, topK: 3 }, 1],
    ["top-p", { ...plain, topP: true }, 0.001],
  ] as const)("%s: one outside the kept set is still scored, with a finite gradient", async (_, variant, topP) => {
    const kept = order.slice(0, variant.topK || 1);
    const outside = order[variant.topK || 1]!;
    const found = await run({ variant, logits, topP, targets: [outside] });
    expect(found.target!.data[0]).toBeCloseTo(softmaxOver([...kept, outside], outside), 5);
    const p = Math.exp(found.target!.data[0]!);
    const gradient = row(found.gradient!, 0);
    expect(gradient[outside]).toBeCloseTo(1 - p, 5);
    for (const id of kept) expect(gradient[id]).toBeCloseTo(-Math.exp(softmaxOver([...kept, outside], id)), 5);
    for (const id of order.slice(kept.length + 1)) expect(gradient[id]).toBeCloseTo(0, 9);
    // The sampling distribution itself is not widened by it.
    expect(Math.exp(row(found.logProbs!, 0)[outside]!)).toBe(0);
  });

  test("one in the kept set has exactly the probability it was sampled with", async () => {
    for (const variant of [plain, { ...plain, topK: 3 }, { ...plain, topK: 5, topP: true }]) {
      const found = await run({ variant, logits, topP: 0.6, targets: [order[0]!] });
      expect(found.target!.data[0]).toBeCloseTo(row(found.logProbs!, 0)[order[0]!]!, 5);
    }
  });
});

test("entropy of equal logits is the logarithm of their number, and 0 for a single token", async () => {
  const logits = [new Array<number>(V).fill(0.7)];
  expect((await run({ variant: plain, logits })).entropy!.data[0]).toBeCloseTo(Math.log(V), 5);
  expect((await run({ variant: plain, logits, banned: [1, 2, 3] })).entropy!.data[0]).toBeCloseTo(Math.log(9), 5);
  const single = await run({ variant: { ...plain, topK: 1 }, logits: [logitsOf("single")] });
  expect(single.entropy!.data[0]).toBeCloseTo(0, 9);
});
