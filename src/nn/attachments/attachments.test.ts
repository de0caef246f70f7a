import { describe, expect, it } from "vitest";
import { itMatchesGolden } from "../../../test/methods-golden.ts";
import { grad } from "../../compiler/grad.ts";
import { interpret } from "../../compiler/interpret.ts";
import { mul, sum } from "../../compiler/ops/index.ts";
import { input, type Params, type Tensor } from "../../compiler/tensor.ts";
import { normal, randomKey } from "../../core/random.ts";
import { sizeOf, type TensorData, tensorData } from "../../core/tensor-data.ts";
import type { Attachment } from "./attachment.ts";
import { type BagPoolConfig, bagPool, gatedAttention } from "./bag-pool.ts";
import { type BagTokensConfig, bagTokens } from "./bag-tokens.ts";
import { attachments } from "./index.ts";
import { contrastiveLoss, type HeadLoss, huberLoss } from "./losses.ts";
import { promptMask, visualPrompt } from "./visual-prompt.ts";

const exact = (shape: readonly number[], values: readonly number[]): TensorData =>
  tensorData("float64", shape, Float64Array.from(values));
const matrix = (rows: readonly (readonly number[])[]) => exact([rows.length, rows[0]!.length], rows.flat());
const drawn = (shape: readonly number[], name: string, scale = 1) =>
  exact(
    shape,
    Array.from({ length: sizeOf(shape) }, (_, i) => scale * normal(randomKey(5, name), i)),
  );

function evaluate(outputs: Params<Tensor>, inputs: Params<Tensor>, feeds: Params<TensorData>) {
  return interpret({ inputs, outputs }, feeds, { precision: "float64" });
}

function weightsOf<Config>(attachment: Attachment<Config>, config: Config): Params<Tensor> {
  const specs = Object.entries(attachment.params(config));
  return Object.fromEntries(specs.map(([name, { shape }]) => [name, input(name, "float32", shape)]));
}

/** The gradient of Σ r·y by every input equals central differences. */
function checkGradients(inputs: Params<Tensor>, loss: Tensor, feeds: Params<TensorData>, wrt: readonly string[]): void {
  const gradients = grad(
    loss,
    wrt.map((name) => inputs[name]!),
  );
  const outputs = { loss, ...Object.fromEntries(wrt.map((name, i) => [`d.${name}`, gradients[i]!])) };
  const found = evaluate(outputs, inputs, feeds);
  for (const name of wrt) {
    const { shape, data } = feeds[name]!;
    for (let i = 0; i < Math.min(data.length, 12); i++) {
      const at = (by: number) => {
        const moved = Array.from(data, (value, j) => value + (i === j ? by : 0));
        return evaluate({ loss }, inputs, { ...feeds, [name]: exact(shape, moved) })["loss"]!.data[0]!;
      };
      const difference = (at(1e-5) - at(-1e-5)) / 2e-5;
      expect(Math.abs(found[`d.${name}`]!.data[i]! - difference), `${name}[${i}]`).toBeLessThan(1e-6);
    }
  }
}

describe("attachments", () => {
  const configs: { readonly [Name in keyof typeof attachments]: readonly object[] } = {
    visual_prompt: (["full", "frame", "padded"] as const).map((form) => ({ size: 4, form, width: 1 })),
    bag_pool: (["attention", "mean", "max"] as const).map((pool) => ({ width: 3, hidden: 4, pool })),
    bag_tokens: [1, 3].map((tokens) => ({ width: 3, hidden: 4, tokens, output: 2 })),
    projection_head: [{ width: 3, projection: 4 }],
    score_head: [{ width: 3 }],
    output_mapping: [{ answers: 3, classes: 2 }],
  };
  const cases = Object.entries(configs).flatMap(([name, list]) => list.map((config) => [name, config] as const));

  it.each(cases)("%s %o: gradients of weights and input are those of central differences", (name, config) => {
    const attachment = attachments[name as keyof typeof attachments] as unknown as Attachment<object>;
    expect(attachment.name).toBe(name);
    const weights = weightsOf(attachment, config);
    const x = attachment.input(config);
    const y = attachment.apply(weights, x, config);
    const feeds = Object.fromEntries(
      Object.entries(weights).map(([at, { shape }]) => [at, drawn(shape as number[], at, 0.7)]),
    );
    const rows = drawn([5, x.shape[1] as number], "x");
    const out = evaluate({ y }, { x, ...weights }, { ...feeds, x: rows })["y"]!;
    const r = input("r", "float32", y.shape);
    const inputs = { x, ...weights, r };
    checkGradients(inputs, sum(mul(y, r)), { ...feeds, x: rows, r: drawn(out.shape, "r") }, [
      "x",
      ...Object.keys(weights),
    ]);
  });
});

describe("the visual prompt", () => {
  it("changes nothing where it is zero, and no pixel within its frame", () => {
    const config = { size: 5, form: "frame", width: 1 } as const;
    const weights = weightsOf(visualPrompt, config);
    const x = visualPrompt.input(config);
    const y = visualPrompt.apply(weights, x, config);
    const image = drawn([2, 75], "image");
    const zero = evaluate({ y }, { x, ...weights }, { x: image, prompt: exact([75], new Array(75).fill(0)) })["y"]!;
    expect([...zero.data]).toEqual([...image.data]);
    const [gradient] = grad(sum(mul(y, y)), [weights["prompt"]!]);
    const found = evaluate({ gradient: gradient! }, { x, ...weights }, { x: image, prompt: drawn([75], "prompt") });
    const mask = promptMask(config);
    for (const [i, value] of found["gradient"]!.data.entries()) expect(value !== 0).toBe(mask[i] === 1);
  });

  interface Golden {
    readonly frame_mask_6_1: number[][];
    readonly trained_pixels_frame_112_pad_12: number;
  }
  itMatchesGolden<Golden>("reprogram", "the frame's mask", (golden) => {
    const mask = promptMask({ size: 6, form: "frame", width: 1 });
    const perPixel = golden.frame_mask_6_1.flat().flatMap((value) => [value, value, value]);
    expect([...mask]).toEqual(perPixel);
    const trained = promptMask({ size: 112, form: "frame", width: 12 }).reduce((total, value) => total + value, 0);
    expect(trained).toBe(golden.trained_pixels_frame_112_pad_12);
  });
});

describe("bag pooling", () => {
  const config: BagPoolConfig = { width: 3, hidden: 4, pool: "attention" };
  const weights = weightsOf(bagPool, config);
  const x = bagPool.input(config);
  const outputs = { a: gatedAttention(weights, x), y: bagPool.apply(weights, x, config) };
  const feeds = Object.fromEntries(
    Object.entries(weights).map(([at, { shape }]) => [at, drawn(shape as number[], at)]),
  );
  const of = (rows: readonly (readonly number[])[]) =>
    evaluate(outputs, { x, ...weights }, { ...feeds, x: matrix(rows) });
  const rows = [0, 1, 2, 3].map((i) => Array.from(drawn([3], `row ${i}`).data));

  it("does not depend on the order of vectors, nor on each standing there twice; shares add up to 1", () => {
    const plain = of(rows);
    expect(Array.from(plain["a"]!.data).reduce((total, share) => total + share, 0)).toBeCloseTo(1, 12);
    const y = plain["y"]!.data[0]!;
    expect(of([...rows].reverse())["y"]!.data[0]).toBeCloseTo(y, 12);
    expect(of([...rows, ...rows])["y"]!.data[0]).toBeCloseTo(y, 12);
  });

  interface Golden {
    readonly features: number[][];
    readonly V: number[][];
    readonly U: number[][];
    readonly w: number[];
    readonly head: number[];
    readonly bias: number;
    readonly attention: number[];
    readonly prediction: number;
    readonly huber_target_2: number;
  }
  itMatchesGolden<Golden>("bag", "attention, prediction and Huber loss", (golden) => {
    const own = { width: 3, hidden: 2, pool: "attention" } as const;
    const weights = weightsOf(bagPool, own);
    const outputs = { a: gatedAttention(weights, x), y: bagPool.apply(weights, x, own) };
    const { V, U, w, head, bias } = golden;
    const fed = { V: matrix(V), U: matrix(U), w: matrix([w]), head: exact([3], head), bias: exact([1], [bias]) };
    const found = evaluate(outputs, { x, ...weights }, { ...fed, x: matrix(golden.features) });
    for (const [i, share] of golden.attention.entries()) expect(found["a"]!.data[i]).toBeCloseTo(share, 9);
    expect(found["y"]!.data[0]).toBeCloseTo(golden.prediction, 9);
    const { inputs, loss } = huberLoss();
    const targets = { y: found["y"]!, target: exact([1], [2]), weight: exact([1], [1]) };
    expect(evaluate({ loss }, inputs, targets)["loss"]!.data[0]).toBeCloseTo(golden.huber_target_2, 9);
  });
});

describe("a bag as tokens", () => {
  const config: BagTokensConfig = { width: 3, hidden: 4, tokens: 2, output: 3 };
  const weights = weightsOf(bagTokens, config);
  const x = bagTokens.input(config);
  const eye3 = matrix([
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ]);
  const of = (own: BagTokensConfig, feeds: Params<TensorData>, rows: readonly (readonly number[])[]) => {
    const weights = weightsOf(bagTokens, own);
    const outputs = { y: bagTokens.apply(weights, x, own), a: gatedAttention(weights, x) };
    return evaluate(outputs, { x, ...weights }, { ...feeds, x: matrix(rows) });
  };

  it("does not depend on the order of vectors, nor on each standing there twice; each token's shares add up to 1", () => {
    const feeds = Object.fromEntries(
      Object.entries(weights).map(([at, { shape }]) => [at, drawn(shape as number[], `tokens ${at}`)]),
    );
    const rows = [0, 1, 2, 3].map((i) => Array.from(drawn([3], `row ${i}`).data));
    const plain = of(config, feeds, rows);
    for (const token of [0, 1]) {
      const shares = Array.from(plain["a"]!.data).slice(4 * token, 4 * token + 4);
      expect(shares.reduce((total, share) => total + share, 0)).toBeCloseTo(1, 12);
    }
    const [first, second] = [plain["y"]!.data.slice(0, 3), plain["y"]!.data.slice(3)];
    expect(Math.max(...Array.from(first, (value, i) => Math.abs(value - second[i]!)))).toBeGreaterThan(1e-3);
    for (const again of [[...rows].reverse(), [...rows, ...rows]]) {
      const found = of(config, feeds, again)["y"]!;
      for (const [i, value] of plain["y"]!.data.entries()) expect(found.data[i]).toBeCloseTo(value, 12);
    }
  });

  interface Golden extends Readonly<Record<"features" | "V" | "U", number[][]>> {
    readonly w: number[];
    readonly pooled: number[];
  }
  itMatchesGolden<Golden>("bag", "pooled vectors as tokens", ({ features, V, U, w, pooled }) => {
    const own = { ...config, hidden: 2 };
    const feeds = { V: matrix(V), U: matrix(U), w: matrix([w, w]), weight: eye3, bias: exact([3], [0, 0, 0]) };
    const found = of(own, feeds, features)["y"]!.data;
    for (const [i, value] of [...pooled, ...pooled].entries()) expect(found[i]).toBeCloseTo(value, 9);
  });
});

describe("contrastive losses", () => {
  const eye = (n: number) =>
    exact(
      [n, n],
      Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)),
    );
  const at = ({ inputs, loss }: HeadLoss, a: number[][], b: number[][], tau: number) =>
    evaluate({ loss }, inputs, { a: matrix(a), b: matrix(b), eye: eye(a.length), tau: exact([], [tau]) })["loss"]!
      .data[0]!;
  const views = (name: string) => Array.from({ length: 4 }, (_, i) => Array.from(drawn([3], `${name} ${i}`).data));

  it("have the gradients of central differences, and do not depend on the order of pairs", () => {
    const [a, b] = [views("a"), views("b")];
    for (const kind of ["info_nce", "metsk"] as const) {
      const made = contrastiveLoss(kind, 3);
      const feeds = { a: matrix(a), b: matrix(b), eye: eye(4), tau: exact([], [0.7]) };
      checkGradients(made.inputs, made.loss, feeds, ["a", "b"]);
      const order = [2, 0, 3, 1];
      const turned = [a, b].map((rows) => order.map((i) => rows[i]!));
      expect(at(made, turned[0]!, turned[1]!, 0.7)).toBeCloseTo(at(made, a, b, 0.7), 12);
    }
  });

  interface Golden {
    readonly contrastive_views: number[][];
    readonly tau: number;
    readonly contrastive_upstream: number;
    readonly info_nce: number;
  }
  itMatchesGolden<Golden>("meta", "both contrastive losses", ({ contrastive_views: all, ...golden }) => {
    const [a, b] = [all.slice(0, 3), all.slice(3)];
    expect(at(contrastiveLoss("metsk", 4), a, b, golden.tau)).toBeCloseTo(golden.contrastive_upstream, 8);
    expect(at(contrastiveLoss("info_nce", 4), a, b, 0.1)).toBeCloseTo(golden.info_nce, 8);
  });
});
