import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { UserError } from "../../core/errors.ts";
import { families } from "../index.ts";
import { parseConfig } from "./config.ts";

const goldens = "test/golden/idefics3";
const read = (path: string) => JSON.parse(readFileSync(`${goldens}/${path}/config.json`, "utf8"));
const parse = (json: unknown) => parseConfig(json, "config.json");

describe("config.json", () => {
  it("takes transformers' defaults for absent keys, as the files of published models need", () => {
    const { text, rope, vision } = parse({
      vision_config: { hidden_size: 768, num_attention_heads: 12, image_size: 512, patch_size: 16 },
    });
    expect(vision).toMatchObject({ depth: 12, mlpWidth: 3072, positionsPerSide: 32, normEpsilon: 1e-6, merge: 2 });
    expect(text).toMatchObject({
      width: 4096,
      depth: 32,
      keyValueHeads: 32,
      headDim: 128,
      normEpsilon: 1e-5,
      tied: false,
    });
    expect(text.imageTokenId).toBe(128257);
    expect(rope).toEqual({ theta: 10_000, stretch: null });
    expect(parse({ text_config: { hidden_size: 64, num_attention_heads: 4 } }).text.normEpsilon).toBe(1e-6);
  });

  it("goes by the tying of the whole model, not of its text part", () => {
    expect(parse({ tie_word_embeddings: true }).text.tied).toBe(true);
    expect(parse({ text_config: { tie_word_embeddings: true } }).text.tied).toBe(false);
  });

  it.each<[string, object, RegExp]>([
    [
      "a rotary kind that is not known",
      { text_config: { rope_scaling: { type: "yarn", factor: 2 } } },
      /text_config\.rope_scaling\.rope_type/,
    ],
    [
      "a stretching without its factor",
      { text_config: { rope_parameters: { rope_type: "llama3" } } },
      /rope_parameters\.factor/,
    ],
    ["another language model", { text_config: { model_type: "mistral" } }, /text_config\.model_type: only "llama"/],
    ["biases", { text_config: { attention_bias: true } }, /attention_bias: biases in attention are not supported/],
    [
      "heads that share unevenly",
      { text_config: { num_attention_heads: 8, num_key_value_heads: 3 } },
      /must be a multiple of num_key_value_heads 3/,
    ],
    ["an odd head", { text_config: { head_dim: 5 } }, /the head size 5/],
    [
      "a tower that its heads do not divide",
      { vision_config: { num_attention_heads: 7 } },
      /vision_config\.hidden_size 1152 must be a multiple of num_attention_heads 7/,
    ],
    ["no room for a patch", { vision_config: { image_size: 16 } }, /image_size 16 is less than one patch_size/],
  ])("with %s is refused", (_, json, message) => {
    expect(() => parse(json)).toThrow(UserError);
    expect(() => parse(json)).toThrow(message);
    expect(() => parse(json)).toThrow(/^config\.json: /);
  });
});

describe("names of weights", () => {
  const model = families["smolvlm"]!.create(read("smolvlm_several/checkpoint"), "config.json");

  it("with and without the model's own prefix are one", () => {
    for (const name of Object.keys(model.weights)) {
      expect(model.canonicalName(name)).toBe(name);
      expect(model.canonicalName(name.replace(/^model\./, ""))).toBe(name);
    }
  });

  it("give a tied head's copy the embedding's", () => {
    expect(Object.keys(model.weights)).not.toContain("lm_head.weight");
    const embedding = "model.text_model.embed_tokens.weight";
    expect(Object.keys(model.weights)).toContain(embedding);
    expect(model.canonicalName("lm_head.weight")).toBe(embedding);
    const untied = families["idefics3"]!.create(read("idefics3_split/checkpoint"), "config.json");
    expect(untied.canonicalName("lm_head.weight")).toBe("lm_head.weight");
  });
});
