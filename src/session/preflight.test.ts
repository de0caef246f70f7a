import { describe, expect, it } from "vitest";
import { promptStyle } from "../answers/prompts.ts";
import { UserError } from "../core/errors.ts";
import type { Processor } from "../core/processor.ts";
import type { Example } from "../core/records.ts";
import { describePreflight, type PreflightOptions, preflight } from "./preflight.ts";

const IMAGE = 9;

/** One token for each letter of the question, then one for every ten pixels of width of each image. */
function processor(changes: Partial<Processor> = {}): Processor {
  const tokens = (letters: number, widths: readonly number[]) => {
    return Int32Array.from([...Array(letters).fill(1), ...widths.flatMap((width) => Array(width / 10).fill(IMAGE))]);
  };
  const textOf = (messages: Parameters<Processor["encode"]>[0]) =>
    messages.flatMap(({ content }) => content.flatMap((part) => (part.type === "text" ? [part.text] : []))).join("");
  return {
    encode: async (messages) => {
      const images = messages.flatMap(({ content }) => content.flatMap((p) => (p.type === "image" ? [p.image] : [])));
      const tokenIds = tokens(
        textOf(messages).length,
        images.map(({ pixels }) => pixels!.width),
      );
      return { text: "", tokenIds, images: [] };
    },
    layOut: (messages, sizes) => {
      if (textOf(messages).includes("<")) throw new UserError("a special token");
      const widths = sizes.map(({ width }) => width);
      return { tokenIds: tokens(textOf(messages).length, widths), imageFeatures: widths.map((width) => width / 10) };
    },
    encodeTurn: () => Promise.reject(new Error("no turn is encoded by itself")),
    encodeImage: () => Promise.reject(new Error("no image is encoded by itself")),
    encodeCompletion: (text) => new Int32Array(text.length + 1),
    decode: () => "",
    stopTokenIds: [0],
    imageTokenId: IMAGE,
    mergeSize: 1,
    notices: [],
    ...changes,
  };
}

const example = (id: string, question: string, ...widths: readonly number[]): Example => ({
  id,
  subjectId: id,
  question,
  images: widths.map((width) => {
    return { path: `w${width}`, pixels: { width, height: 1, channels: 1, data: new Uint8Array(width) } };
  }),
  answer: "yes",
  answerType: "open",
  choices: [],
  meta: {},
});

const options: PreflightOptions = {
  data: "data.train",
  processor: processor(),
  prompt: promptStyle("plain"),
  contextLength: 30,
  completions: () => [
    { key: "stages.0.target", tokens: 4 },
    { key: "stages.1.max_completion_length", tokens: 10 },
  ],
  onBadImage: "skip",
  onTooLong: "skip",
  missing: [],
};

describe("preflight", () => {
  it("counts tokens and different images, and finds the longest with its completion", async () => {
    const examples = [example("a", "12345", 20, 50), example("b", "1234567890", 20), example("c", "1")];
    const { kept, skipped, report } = await preflight(examples, options);
    expect(kept).toEqual(examples);
    expect(skipped).toEqual([]);
    expect(report).toEqual({
      data: "data.train",
      examples: 3,
      kept: 3,
      images: 2,
      prompt_tokens_mean: Math.round((12 + 12 + 1) / 3),
      prompt_tokens_max: 12,
      image_tokens_max: 7,
      longest: { example_id: "a", tokens: 22 },
      dropped: {},
      notices: [],
    });
  });

  it("tells of a tag in a question, and refuses the prompt's tags in an answer", async () => {
    const asked = {
      ...options,
      processor: processor({ layOut: () => ({ tokenIds: new Int32Array(3), imageFeatures: [] }) }),
    };
    const tagged = [example("tagged", "[<image>]"), example("plain", "12")];
    const encode: Processor["encode"] = async () => ({ text: "", tokenIds: new Int32Array(3), images: [] });
    const { report } = await preflight(tagged, { ...asked, processor: { ...asked.processor, encode } });
    expect(report.notices).toMatchObject([{ notice: "image_tag", count: 1, first: ["tagged"] }]);
    expect(describePreflight(report).at(-1)).toMatch(/^data.train: 1 example with a tag such as <image> .*\(tagged\)$/);
    const answered = [{ ...example("a", "1"), answer: "<answer>yes</answer>" }];
    const strict = { ...options, prompt: promptStyle("answer_only"), onBadImage: "error" } as const;
    await expect(preflight(answered, strict)).rejects.toThrow(/example "a": its answer contains "<answer>"/);
  });

  it("keeps what fits exactly and drops what is a token longer, by the stage that asks for most", async () => {
    const examples = [example("fits", "x".repeat(20)), example("over", "x".repeat(21))];
    const { kept, skipped } = await preflight(examples, options);
    expect(kept.map(({ id }) => id)).toEqual(["fits"]);
    expect(skipped).toEqual([
      {
        example_id: "over",
        reason:
          "stages.1.max_completion_length: a prompt of 21 tokens and a completion of 10 do not fit the model's context of 30 tokens",
      },
    ]);
    await expect(preflight(examples, { ...options, onTooLong: "error" })).rejects.toThrow(/example "over"/);
  });

  it("names the first five of many, and counts those that were missing before", async () => {
    const bad = Array.from({ length: 7 }, (_, i) => example(`bad-${i}`, "<"));
    const missing = [{ example_id: "gone", reason: "no such file" }];
    const { report } = await preflight([...bad, example("good", "1")], { ...options, missing });
    expect(report.examples).toBe(9);
    expect(report.dropped).toEqual({
      image_missing: { count: 1, first: ["gone"] },
      image_or_text: { count: 7, first: ["bad-0", "bad-1", "bad-2", "bad-3", "bad-4"] },
    });
    expect(describePreflight(report).at(-1)).toBe(
      "data.train: 7 left out, the image or the text cannot be used: bad-0, bad-1, bad-2, bad-3, bad-4, …",
    );
    await expect(preflight(bad, { ...options, onBadImage: "error" })).rejects.toThrow(
      'example "bad-0": a special token; so it is with 7 of the 7 examples of data.train',
    );
    await expect(preflight(bad, options)).rejects.toThrow(/none of the 7 examples can be used/);
  });

  it("refuses image tokens that are not as many as image features", async () => {
    const { layOut } = options.processor;
    const short = processor({
      layOut: (messages, sizes) => ({ ...layOut(messages, sizes), tokenIds: Int32Array.of(1, IMAGE) }),
    });
    const attempt = preflight([example("a", "1", 20)], { ...options, processor: short, onBadImage: "error" });
    await expect(attempt).rejects.toThrow(/1 image tokens for 2 image features/);
  });

  it("fails where the longest prompt, encoded in full, differs from its estimate", async () => {
    const other = processor({ encode: async () => ({ text: "", tokenIds: Int32Array.of(1, 2), images: [] }) });
    const attempt = preflight([example("a", "1", 20)], { ...options, processor: other });
    await expect(attempt).rejects.toThrow(/internal: example "a" has 2 tokens, its images' sizes give 3/);
  });
});
