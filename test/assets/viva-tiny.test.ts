import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { promptStyle, questionMessages, targetText } from "../../src/answers/prompts.ts";
import type { Example, Message, RawImage } from "../../src/core/records.ts";
import { loadDataset } from "../../src/data/index.ts";
import { chatRenderer } from "../../src/io/chat-template.ts";
import { loadTokenizer } from "../../src/io/tokenizer.ts";
import { openModel, openProcessor } from "../../src/models/index.ts";

const renderChat = chatRenderer();

const folder = fileURLToPath(new URL("../../assets/viva-tiny", import.meta.url));
const shared = fileURLToPath(new URL("../../../shared", import.meta.url));
const slake = `${shared}/data/slake`;
const qwenTemplate = `${shared}/models/chat_templates/qwen2_5_vl.jinja`;

const tokenizer = loadTokenizer(folder);
const json = (name: string) => JSON.parse(readFileSync(`${folder}/${name}`, "utf8"));

/** Texts that come back changed, and tokens per question. */
function roundTrip(examples: readonly Example[]): { changed: readonly string[]; perQuestion: number } {
  const texts = examples.flatMap(({ question, answer, rationale }) => [question, answer, rationale ?? ""]);
  const tokens = examples.reduce((sum, { question }) => sum + tokenizer.encode(question).length, 0);
  const changed = texts.filter((text) => tokenizer.decode(tokenizer.encode(text)) !== text.normalize("NFC"));
  return { changed, perQuestion: tokens / examples.length };
}

describe("the tokenizer of viva-tiny", () => {
  it("gives back every text of the phantom set, in few tokens", async () => {
    const { changed, perQuestion } = roundTrip(await loadDataset({ name: "phantom", split: "test", limit: 192 }));
    expect(changed).toEqual([]);
    expect(perQuestion).toBeLessThan(8);
  });

  it.skipIf(!existsSync(slake)).each(["train", "validation", "test"])(
    "gives back every text of SLAKE's %s split, in few tokens (skipped without ../shared)",
    async (split) => {
      const { changed, perQuestion } = roundTrip(await loadDataset({ name: "slake", path: slake, split }));
      expect(changed).toEqual([]);
      console.log(`SLAKE ${split}: ${perQuestion.toFixed(2)} tokens in a question`);
      expect(perQuestion).toBeLessThan(12);
    },
  );

  it.each([
    "",
    "  two  spaces ",
    "a\r\nb\n\n\tc",
    "café Zürich 肺 הריאה",
    "😀 12,345.6 mm²",
    "it's IT'S don’t",
    "\u0000\ufffd",
  ])("gives back %j", (text) => {
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  it("has 2048 ids, each one token, the special ones last and whole", () => {
    const vocabulary = json("tokenizer.json").model.vocab as Record<string, number>;
    expect(tokenizer.vocabSize).toBe(2048);
    expect(Object.values(vocabulary).sort((a, b) => a - b)).toEqual(Array.from({ length: 2040 }, (_, id) => id));
    expect(tokenizer.specialTokenIds).toEqual(Array.from({ length: 8 }, (_, i) => 2040 + i));
    for (const token of tokenizer.specialTokens) {
      expect([...tokenizer.encode(`a${token}b`)].slice(1, -1)).toEqual([tokenizer.idOf(token)]);
    }
  });

  it("writes tags and short answers in few tokens, the answer's the same with and without tags", () => {
    const example = { answer: "Yes", answerType: "closed", choices: [] } as unknown as Example;
    const target = [...tokenizer.encode(targetText(example, "think_answer", "answer"))];
    expect(target.map((id) => tokenizer.decode([id]))).toEqual([
      "<think",
      "></",
      "think",
      "><",
      "answer",
      ">",
      "Yes",
      "</",
      "answer",
      ">",
    ]);
    expect(tokenizer.encode("Yes")).toHaveLength(1);
  });
});

describe("the configuration of viva-tiny", () => {
  const model = openModel(folder);

  it("has 3,075,840 parameters", () => {
    const sizes = Object.values(model.weights).map(({ shape }) => shape.reduce((a, b) => a * b, 1));
    const total = sizes.reduce((a, b) => a + b, 0);
    expect(total).toBeGreaterThan(2e6);
    expect(total).toBeLessThan(5e6);
    expect(total).toBe(3_075_840); // what transformers counts, and the README says
  });

  it("names the tokenizer's ids", () => {
    const id = (token: string) => tokenizer.idOf(token)!;
    const [endOfText, endOfTurn] = [id("<|endoftext|>"), id("<|im_end|>")];
    expect(json("config.json")).toMatchObject({
      vocab_size: tokenizer.vocabSize,
      bos_token_id: endOfText,
      eos_token_id: endOfTurn,
      pad_token_id: endOfText,
      image_token_id: id("<|image_pad|>"),
      video_token_id: id("<|video_pad|>"),
      vision_start_token_id: id("<|vision_start|>"),
      vision_end_token_id: id("<|vision_end|>"),
      vision_token_id: id("<|vision_pad|>"),
    });
    expect(json("generation_config.json")).toEqual({
      bos_token_id: endOfText,
      eos_token_id: [endOfTurn, endOfText],
      pad_token_id: endOfText,
    });
    expect(tokenizer.namedTokens).toEqual({ eos_token: "<|im_end|>", pad_token: "<|endoftext|>" });
    expect(json("tokenizer_config.json").model_max_length).toBe(model.language.maxPositions);
  });

  it.each([
    [112, 112, 16],
    [384, 384, 16], // most of SLAKE; with max_pixels at 112 x 112 rounding makes it 84 x 84
    [240, 240, 16],
    [384, 300, 12],
    [1000, 60, 16],
    [10, 10, 4],
  ])("makes of a %i x %i image %i tokens", async (width, height, tokens) => {
    const processor = await openProcessor(folder);
    const pixels: RawImage = { width, height, channels: 1, data: new Uint8Array(width * height) };
    const example = { question: "Is there an opacity in the lungs?", choices: [], images: [{ path: "black", pixels }] };
    const messages = questionMessages(example as unknown as Example, promptStyle("think_answer"));
    const { tokenIds } = await processor.encode(messages);
    expect(tokenIds.filter((id) => id === processor.imageTokenId)).toHaveLength(tokens);
    expect(tokenIds.length).toBeLessThan(60);
  });
});

describe("the chat template of viva-tiny", () => {
  const text = (value: string) => ({ type: "text", text: value }) as const;
  const image = { type: "image", image: { path: "a.png" } } as const;
  const dialogue: readonly Message[] = [
    { role: "user", content: [image, text(" Where is it?\n"), image, text("And here? ")] },
    { role: "assistant", content: [text("<think>Left.</think>")] },
    { role: "user", content: [text("")] },
  ];
  const system: Message = { role: "system", content: [text("You are a helpful assistant.")] };
  const render = (messages: readonly Message[], addGenerationPrompt: boolean, template = tokenizer.chatTemplate!) =>
    renderChat(template, messages, { addGenerationPrompt });

  it("adds no system message of its own", () => {
    expect(render([{ role: "user", content: [image, text("Hm?")] }], true)).toBe(
      "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Hm?<|im_end|>\n<|im_start|>assistant\n",
    );
  });

  it("is the same in tokenizer_config.json", () => {
    expect(json("tokenizer_config.json").chat_template).toBe(tokenizer.chatTemplate);
  });

  it.skipIf(!existsSync(qwenTemplate)).each([true, false])(
    "equals Qwen2-VL's where a system message is given (generation prompt: %s; skipped without ../shared)",
    (addGenerationPrompt) => {
      const qwen = readFileSync(qwenTemplate, "utf8");
      const given = [system, ...dialogue];
      expect(render(given, addGenerationPrompt)).toBe(render(given, addGenerationPrompt, qwen));
      expect(render([system], false) + render(dialogue, addGenerationPrompt)).toBe(
        render(dialogue, addGenerationPrompt, qwen),
      );
    },
  );
});
