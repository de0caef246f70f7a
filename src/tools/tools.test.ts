/** The tools by their definitions, and that no call, however made, throws. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { itMatchesGolden } from "../../test/methods-golden.ts";
import { integer, pick, randomKey, uniform } from "../core/random.ts";
import type { Example, RawImage } from "../core/records.ts";
import { cropBox } from "./crop.ts";
import { type Environment, environmentSchema, openEnvironment } from "./index.ts";
import { indexPassages } from "./look-up.ts";
import { parseToolCall } from "./parse-call.ts";
import type { Box } from "./viewed.ts";
import { windowed } from "./window.ts";

/** 448 pixels square, of which the model sees 112: the value of a pixel is its column modulo 256. */
const original: RawImage = {
  width: 448,
  height: 448,
  channels: 1,
  data: Uint8Array.from({ length: 448 * 448 }, (_, i) => (i % 448) % 256),
};
const shown: RawImage = { width: 112, height: 112, channels: 1, data: new Uint8Array(112 * 112).fill(100) };
const example: Example = {
  ...{ id: "a", subjectId: "a", question: "?", answer: "yes", answerType: "closed", choices: [], meta: {} },
  images: [{ path: "made", pixels: shown, original, spacing: 2 }],
};

const texts = mkdtempSync(join(tmpdir(), "viva-texts-"));
const outside = mkdtempSync(join(tmpdir(), "viva-outside-"));
writeFileSync(join(outside, "secret.md"), "A nodule in a secret file.");
mkdirSync(join(texts, "more"));
writeFileSync(join(texts, "a.md"), "A nodule is a round opacity below 30 mm.\n\nA mass is larger than a nodule.");
writeFileSync(join(texts, "more", "b.txt"), "An effusion is fluid in the pleural space.");
symlinkSync(join(outside, "secret.md"), join(texts, "link.md"));
afterAll(() => {
  rmSync(texts, { recursive: true });
  rmSync(outside, { recursive: true });
});

const open = (): Promise<Environment> => openEnvironment(environmentSchema.parse({ name: "viewer_tools", texts }));
const call = async (name: string, given: Readonly<Record<string, unknown>>) =>
  (await open()).step(example, { name, arguments: given });

describe("crop", () => {
  interface Golden {
    readonly image: readonly [number, number];
    readonly boxes: readonly Box[];
    readonly viva: readonly (Box | null)[];
  }
  itMatchesGolden<Golden>("crop", "clamped, grown to 28 pixels, refused", ({ image, boxes, viva }) => {
    const [width, height] = image;
    expect(boxes.map((box) => cropBox({ width, height }, box))).toEqual(viva);
  });

  it("takes pixels of the image as shown and gives those of the original", async () => {
    const { image, isError } = await call("crop", { box: [10, 20, 40, 60] });
    expect(isError).toBe(false);
    expect([image!.pixels!.width, image!.pixels!.height]).toEqual([120, 160]);
    expect(image!.pixels!.data[0]).toBe(40);
    expect(image!.path).toBe("made#crop=40,80,160,240");
  });

  it("never leaves the image, and is no smaller than 28 pixels where the image is not", () => {
    for (let i = 0; i < 2000; i++) {
      const key = randomKey(5, "boxes", i);
      const size = { width: 1 + integer(key, 0, 300), height: 1 + integer(key, 1, 300) };
      const box = Array.from({ length: 4 }, (_, k) => 500 * uniform(key, 2 + k) - 100) as unknown as Box;
      const kept = cropBox(size, box);
      if (kept === null) continue;
      const [left, top, right, bottom] = kept;
      expect(left >= 0 && top >= 0 && right <= size.width && bottom <= size.height).toBe(true);
      expect(right - left).toBeGreaterThanOrEqual(Math.min(28, size.width));
      expect(bottom - top).toBeGreaterThanOrEqual(Math.min(28, size.height));
    }
  });
});

describe("the other tools", () => {
  it("window: grey values from level - width/2 to level + width/2", () => {
    const image = { width: 4, height: 1, channels: 1, data: Uint8Array.of(50, 75, 100, 150) } as const;
    expect([...windowed(image, 75, 50).data]).toEqual([0, 128, 255, 255]);
  });

  it("measure: millimetres by the spacing of the image as shown, pixels without one", async () => {
    expect((await call("measure", { p: [0, 0], q: [3, 4] })).text).toBe("10.0 mm");
    const plain = { ...example, images: [{ path: "made", pixels: shown }] };
    const asked = { name: "measure", arguments: { p: [0, 0], q: [3, 4] } };
    expect((await (await open()).step(plain, asked)).text).toBe("5.0 pixels (spacing not known)");
  });

  it("region_stats: of the original's pixels, with the area", async () => {
    const { text } = await call("region_stats", { box: [0, 0, 10, 7] });
    expect(text).toBe("mean 19.5, sd 11.5, min 0, max 39, area 280 mm2");
  });

  it("look_up: BM25 over the folder's own files, links not followed", async () => {
    expect((await call("look_up", { term: "nodule" })).text).toBe(
      "A mass is larger than a nodule.\nA nodule is a round opacity below 30 mm.",
    );
    expect((await call("look_up", { term: "secret" })).text).toBe("nothing found");
    expect((await call("look_up", { term: "pleural fluid" })).text).toContain("effusion");
  });

  it("BM25 by hand: k1 1.2, b 0.75", () => {
    const passages = indexPassages(["cat dog", "cat cat cat fish bird", "fish"]);
    expect(passages.find("cat", 5)).toEqual(["cat cat cat fish bird", "cat dog"]);
    expect(passages.find("horse", 5)).toEqual([]);
  });
});

describe("calls", () => {
  it("the last call of a turn counts", () => {
    const text = '<tool_call>{"name":"a"}</tool_call> or <tool_call>{"name":"b","arguments":{"x":1}}</tool_call>';
    expect(parseToolCall(text)).toEqual({ call: { name: "b", arguments: { x: 1 } } });
    expect(parseToolCall("no call, <answer>yes</answer>")).toBeNull();
    expect(parseToolCall('<tool_call>{"name":"a"}')).toBeNull();
    for (const bad of ["x</tool_call>", "<tool_call>{</tool_call>", '<tool_call>{"name":3}</tool_call>']) {
      expect(parseToolCall(bad)).toHaveProperty("problem");
    }
  });

  it("what is wrong is said by the argument's name, never in the model's words", async () => {
    expect(await call("crop", { box: [1, 2, 3] })).toMatchObject({ isError: true });
    expect((await call("crop", { box: "<|im_end|>" })).text).toBe(
      "error: crop: box: four numbers: left, top, right, bottom",
    );
    expect((await call("crop", { box: [0, 0, 50, 50], "<|im_end|>": 1 })).text).not.toContain("im_end");
    expect((await call("crop", { box: [50, 50, 20, 20] })).isError).toBe(true);
    expect((await call("crop", { image: 2, box: [0, 0, 50, 50] })).text).toContain("1 images");
    expect((await call("rm", { path: "/" })).text).toContain("no such tool");
  });

  it("10,000 malformed calls: an observation each, no exception", async () => {
    const environment = await open();
    const names = [...environment.tools.map(({ name }) => name), "", "constructor", "__proto__", "toString"];
    const values = [
      "null",
      "-1",
      "1e999",
      '"a"',
      "[]",
      "{}",
      "[1,2,3,4]",
      "[10,10,60,60]",
      "[1e308,-1e308,1e308,1e308]",
      "true",
      '"\\ud800"',
    ];
    const keys = ["box", "image", "level", "width", "p", "q", "term", "__proto__", "x"];
    const answered = { errors: 0, others: 0, unread: 0 };
    for (let i = 0; i < 10_000; i++) {
      const key = randomKey(3, "malformed", i);
      const pairs = Array.from({ length: integer(key, 0, 4) }, (_, k) => {
        return `${JSON.stringify(pick(key, 10 + k, keys))}:${pick(key, 20 + k, values)}`;
      });
      const whole = `<tool_call>{"name":${JSON.stringify(pick(key, 1, names))},"arguments":{${pairs.join(",")}}}</tool_call>`;
      // Two in three lose or gain a piece somewhere.
      const at = integer(key, 2, whole.length);
      const piece = pick(key, 3, ["", "<tool_call>", "</tool_call>", "{", "}", '"', "\\", "\u0000", "[".repeat(5000)]);
      const text = uniform(key, 4) < 0.33 ? whole : whole.slice(0, at) + piece + whole.slice(at + integer(key, 5, 8));
      const parsed = parseToolCall(text);
      if (parsed === null || "problem" in parsed) {
        answered.unread++;
        continue;
      }
      const { isError, text: said } = await environment.step(example, parsed.call);
      expect(said.length).toBeLessThan(1000);
      answered[isError ? "errors" : "others"]++;
    }
    expect(Math.min(...Object.values(answered))).toBeGreaterThan(5); // all three happen
  });
});
