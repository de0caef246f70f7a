/** The norms of linear layers' inputs, which Wanda prunes by: complete, of the right numbers, however a batch is split. */
import { afterAll, describe, expect, it } from "vitest";
import { LocalCore } from "../../src/engine/local/local-core.ts";
import { openModel } from "../../src/models/index.ts";
import { linearLayers } from "../../src/models/lora-targets.ts";
import { goldenCase } from "../parity/golden.ts";

const golden = goldenCase("grouped_tied");
const model = openModel(golden.checkpoint);
const completion = { tokenIds: golden.completion, weight: 1, advantage: 0 };
const groups = [0, 1, 2].map(() => ({ prompt: golden.prompt, completions: [completion] }));
const cores: LocalCore[] = [];
afterAll(async () => {
  for (const core of cores) await core.close();
});

function open(microBatchTokens = 512): LocalCore {
  const options = {
    modelFolder: golden.checkpoint,
    initialise: "pretrained",
    seed: 0,
    freeze: [],
    lora: null,
  } as const;
  const core = new LocalCore({ ...options, quantizeFrozen: null, threads: 1, microBatchTokens, rows: 8 });
  cores.push(core);
  return core;
}

describe("input norms", () => {
  it("are there for every linear layer of both stacks, one for each input", async () => {
    const core = open();
    const norms = await core.inputNorms(groups);
    for (const layer of linearLayers(model)) {
      const [, inputs] = model.weights[`${layer}.weight`]!.shape;
      expect(norms.get(`${layer}.weight`)?.length, layer).toBe(inputs);
      expect(norms.get(`${layer}.weight`)!.every((norm) => Number.isFinite(norm) && norm >= 0)).toBe(true);
    }
    const own = (part: string) => [...norms.keys()].find((name) => name.endsWith(`layers.0.${part}.weight`))!;
    const apart = (a: string, b: string) =>
      Math.max(...norms.get(own(a))!.map((norm, j) => Math.abs(norm / norms.get(own(b))![j]! - 1)));
    expect(apart("self_attn.q_proj", "self_attn.v_proj")).toBeLessThan(1e-6);
    expect(apart("mlp.gate_proj", "mlp.up_proj")).toBeLessThan(1e-6);
    expect(norms.get(own("mlp.gate_proj"))).not.toEqual(norms.get(own("self_attn.q_proj")));
  });

  it("of the first block are those of the normalised embeddings of all tokens but the last, which nothing follows", async () => {
    const core = open();
    const text = golden.prompt.tokenIds.filter((id) => !model.visionTokenIds.includes(id));
    const prompt = { text: "", tokenIds: text, images: [] };
    const norms = await core.inputNorms([{ prompt, completions: [completion] }]);
    const { values } = core.store;
    const name = [...norms.keys()].find((key) => key.endsWith("layers.0.self_attn.q_proj.weight"))!;
    const scale = values[name.replace("self_attn.q_proj", "input_layernorm")]!.data;
    const table = values[model.language.stemWeights[0]!]!.data;
    const { width } = model.language;
    const squares = new Float64Array(width);
    for (const id of [...text, ...golden.completion.slice(0, -1)]) {
      const row = Array.from({ length: width }, (_, j) => Number(table[id * width + j]!));
      const mean = row.reduce((sum, value) => sum + value ** 2, 0) / width;
      for (const [j, value] of row.entries())
        squares[j]! += (value / Math.sqrt(mean + 1e-6)) ** 2 * Number(scale[j]!) ** 2;
    }
    const found = norms.get(name)!;
    for (const [j, square] of squares.entries()) expect(found[j]! / Math.sqrt(square)).toBeCloseTo(1, 4);
  });

  it("do not depend on how the batch is split, and leave scores as they were", async () => {
    const [whole, split] = [open(), open(golden.prompt.tokenIds.length + golden.completion.length)];
    const scoring = { temperature: 1, topP: 1, topK: 0 };
    const before = await whole.logProbs(groups, scoring, "policy");
    const [a, b] = [await whole.inputNorms(groups), await split.inputNorms(groups)];
    for (const [name, norms] of a) {
      for (const [j, norm] of norms.entries()) expect(b.get(name)![j]! / norm || 1).toBeCloseTo(1, 4);
    }
    expect(await whole.logProbs(groups, scoring, "policy")).toEqual(before);
  });
});
