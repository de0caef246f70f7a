import { describe, expect, test } from "vitest";
import { canonicalName, flatNames, moduleName, nestedNames } from "./names.ts";

describe.each([
  ["model.layers.0.mlp.up_proj.weight", "model.language_model.layers.0.mlp.up_proj.weight"],
  ["model.embed_tokens.weight", "model.language_model.embed_tokens.weight"],
  ["visual.blocks.3.attn.qkv.bias", "model.visual.blocks.3.attn.qkv.bias"],
  ["lm_head.weight", "lm_head.weight"],
])("%s", (flat, nested) => {
  test("is found under either name, and written under the family's", () => {
    for (const stored of [flat, nested]) {
      expect(canonicalName(stored, flatNames, false)).toBe(flat);
      expect(canonicalName(stored, nestedNames, false)).toBe(nested);
      expect(moduleName(stored)).toBe(nested);
    }
  });
});

test("the stored copy of a tied head is the embedding's, and a foreign name is left as it is", () => {
  expect(canonicalName("lm_head.weight", flatNames, true)).toBe("model.embed_tokens.weight");
  expect(canonicalName("lm_head.weight", nestedNames, true)).toBe("model.language_model.embed_tokens.weight");
  expect(canonicalName("encoder.layers.0.weight", nestedNames, true)).toBe("encoder.layers.0.weight");
});
