import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError } from "../core/errors.ts";
import { loadTokenizer } from "./tokenizer.ts";

const tiny = "test/golden/qwen2_vl/two_images/checkpoint";
const qwen = "../shared/models/qwen_tokenizer";

describe("a small byte-level tokenizer", () => {
  const tokenizer = loadTokenizer(tiny);

  it("recognises special tokens in the text as single ids and adds none", () => {
    const ids = tokenizer.encode("<|im_start|>user\nhi<|im_end|>");
    expect(ids[0]).toBe(tokenizer.idOf("<|im_start|>"));
    expect(ids.at(-1)).toBe(tokenizer.idOf("<|im_end|>"));
    expect([...ids].filter((id) => tokenizer.specialTokenIds.includes(id))).toHaveLength(2);
    expect(tokenizer.encode("")).toEqual(new Int32Array(0));
  });

  it.each(["größe 12 mm?", "日本 😀\n\n  x", "a\u0301", "<|im_end|> 's 'LL", "  . , !"])("gives %j back", (text) => {
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text.normalize("NFC"));
  });

  it("leaves special tokens out on request, and ids it does not know always", () => {
    const ids = [...tokenizer.encode("yes<|im_end|>"), 395, 1e6];
    expect(tokenizer.decode(ids)).toBe("yes<|im_end|>");
    expect(tokenizer.decode(Int32Array.from(ids), { skipSpecialTokens: true })).toBe("yes");
    expect(tokenizer.decode([], { skipSpecialTokens: true })).toBe("");
    expect(tokenizer.decode([tokenizer.idOf("<|im_end|>")!], { skipSpecialTokens: true })).toBe("");
  });

  it("shows cut UTF-8 as U+FFFD", () => {
    const ids = tokenizer.encode("ö");
    expect(ids).toHaveLength(2);
    expect(tokenizer.decode(ids.subarray(0, 1))).toBe("\ufffd");
  });

  it("knows its tokens", () => {
    expect(tokenizer.vocabSize).toBe(392);
    expect(tokenizer.specialTokenIds).toEqual([384, 385, 386, 387, 388, 389, 390, 391]);
    expect(tokenizer.specialTokens[2]).toBe("<|im_end|>");
    expect(tokenizer.idOf("<|image_pad|>")).toBe(390);
    expect(tokenizer.idOf("no such token")).toBeUndefined();
    expect(tokenizer.namedTokens).toMatchObject({ eos_token: "<|im_end|>", pad_token: "<|endoftext|>" });
  });
});

describe("files", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "viva-tokenizer-"));
    cpSync(join(tiny, "tokenizer.json"), join(folder, "tokenizer.json"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const write = (file: string, content: unknown): void =>
    writeFileSync(join(folder, file), typeof content === "string" ? content : JSON.stringify(content));

  it("reads the chat template from where it is, the newest place first", () => {
    expect(loadTokenizer(folder).chatTemplate).toBeNull();
    write("tokenizer_config.json", { chat_template: [{ name: "rag", template: "R" }] });
    expect(loadTokenizer(folder).chatTemplate).toBeNull();
    write("tokenizer_config.json", {
      chat_template: [
        { name: "rag", template: "R" },
        { name: "default", template: "D" },
      ],
    });
    expect(loadTokenizer(folder).chatTemplate).toBe("D");
    write("tokenizer_config.json", { chat_template: "C" });
    expect(loadTokenizer(folder).chatTemplate).toBe("C");
    write("chat_template.json", { chat_template: "B" });
    expect(loadTokenizer(folder).chatTemplate).toBe("B");
    write("chat_template.jinja", "A\n");
    expect(loadTokenizer(folder).chatTemplate).toBe("A\n");
  });

  it("takes tokens named special in the configuration as special", () => {
    write("tokenizer_config.json", { extra_special_tokens: { yes: "a", no: { content: "not a token" } } });
    const tokenizer = loadTokenizer(folder);
    expect(tokenizer.specialTokenIds).toContain(tokenizer.idOf("a"));
    const ids = ["b", "a"].map((token) => tokenizer.idOf(token)!);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe("b");
    write("tokenizer_config.json", { eos_token: { content: "b" } });
    expect(loadTokenizer(folder).decode(ids, { skipSpecialTokens: true })).toBe("a");
  });

  it("does not tidy spaces unless the configuration asks for it", () => {
    expect(loadTokenizer(folder).decode(loadTokenizer(folder).encode("yes , no ."))).toBe("yes , no .");
    write("tokenizer_config.json", { clean_up_tokenization_spaces: true });
    expect(loadTokenizer(folder).decode(loadTokenizer(folder).encode("yes , no ."))).toBe("yes, no.");
  });

  it.each<[string, string, unknown, RegExp]>([
    ["broken JSON", "tokenizer.json", "{", /tokenizer\.json is not valid JSON: line 1/],
    ["no model", "tokenizer.json", {}, /tokenizer\.json is not valid: model: /],
    ["null", "tokenizer.json", "null", /tokenizer\.json is not valid: the whole file: /],
    ["an unknown model type", "tokenizer.json", { model: { type: "Magic" } }, /not a tokenizer that can be read/],
    ["no tokens", "tokenizer.json", { model: { type: "BPE", vocab: {}, merges: [] } }, /model\.vocab is empty/],
    ["null for tokens", "tokenizer.json", { model: { type: "BPE", vocab: null } }, /model\.vocab: expected the tokens/],
    [
      "merges of other tokens",
      "tokenizer.json",
      { model: { type: "BPE", vocab: { a: 0, b: 1, ab: 2 }, merges: ["a b", ["b", "z"]] } },
      /model\.merges\.1: \["b","z"\] is no pair of tokens/,
    ],
    ["an added token without id", "tokenizer.json", { model: {}, added_tokens: [{}] }, /added_tokens\.0\.id/],
    [
      "a chat template that is a number",
      "tokenizer_config.json",
      { chat_template: 3 },
      /chat_template: expected a text or a list/,
    ],
    ["a legacy template without key", "chat_template.json", {}, /chat_template\.json is not valid: chat_template/],
  ])("refuses %s", (_, file, content, message) => {
    write(file, content);
    expect(() => loadTokenizer(folder)).toThrow(UserError);
    expect(() => loadTokenizer(folder)).toThrow(message);
  });

  it("names a missing tokenizer.json", () => {
    rmSync(join(folder, "tokenizer.json"));
    expect(() => loadTokenizer(folder)).toThrow(/cannot read tokenizer .*tokenizer\.json: there is no such file/);
  });
});

describe.skipIf(!existsSync(qwen))(`the tokenizer of Qwen (needs ${qwen})`, () => {
  const tokenizer = existsSync(qwen) ? loadTokenizer(qwen) : loadTokenizer(tiny);

  it("has the ids its model card gives", () => {
    expect([...tokenizer.encode("You are a helpful assistant.")]).toEqual([2610, 525, 264, 10950, 17847, 13]);
    expect([...tokenizer.encode("<|vision_start|><|image_pad|><|vision_end|>")]).toEqual([151652, 151655, 151653]);
    expect(tokenizer.vocabSize).toBe(151669);
    expect(tokenizer.chatTemplate).toContain("<|im_start|>");
  });

  // Written by tokenizers 0.23.3 (Python); 15,543 more strings of all kinds were compared once and were equal.
  it.each([
    ["It's 12.5 mm, isn't it?\n\n", [2132, 594, 220, 16, 17, 13, 20, 9465, 11, 4436, 944, 432, 1939]],
    ["\u0085\ufeff\u00a0 größe ΩK'ſ", [126, 227, 3225, 4102, 59409, 23455, 7851, 102, 42, 6, 144815]],
  ])("encodes %j as Python does", (text, ids) => expect([...tokenizer.encode(text)]).toEqual(ids));

  it("reads a token that is not special but added as one id", () => {
    expect(tokenizer.encode("<think>")).toEqual(Int32Array.of(151667));
    expect(tokenizer.decode([151667], { skipSpecialTokens: true })).toBe("<think>");
  });
});
