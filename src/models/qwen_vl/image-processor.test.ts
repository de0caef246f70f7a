import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { UserError } from "../../core/errors.ts";
import type { RawImage } from "../../core/records.ts";
import { decodeImage } from "../../io/images.ts";
import { resizeBicubic } from "../../io/resize.ts";
import { openSafetensors } from "../../io/safetensors.ts";
import { parseImageProcessorConfig, patchify, smartResize } from "./image-processor.ts";

const goldens = "test/golden/processor";

interface Golden {
  readonly images: readonly { readonly file: string; readonly mode: string }[];
  readonly cases: readonly {
    readonly image: string;
    readonly min_pixels: number;
    readonly max_pixels: number;
    readonly grid_thw: readonly number[];
    readonly resized: string | null;
    readonly pixel_values: string | null;
  }[];
  readonly smart_resize: readonly {
    readonly height: number;
    readonly width: number;
    readonly min_pixels: number;
    readonly max_pixels: number;
    readonly resized: readonly number[] | null;
  }[];
  readonly hashes: {
    readonly configs: Readonly<Record<string, object>>;
    readonly images: readonly {
      readonly image: string;
      readonly config: string;
      readonly grid_thw: readonly number[];
      readonly sha256: string;
    }[];
  };
}

const golden: Golden = JSON.parse(readFileSync(`${goldens}/golden.json`, "utf8"));
const tensors = openSafetensors(`${goldens}/golden.safetensors`);

/** The pixels that Pillow decoded. */
function decoded(file: string): RawImage {
  const [height, width] = tensors.info(`decoded.${file}`).shape as [number, number];
  return { width, height, channels: 3, data: tensors.readBytes(`decoded.${file}`) };
}

describe("as transformers", () => {
  it("smartResize, its limits and its refusals", () => {
    const wrong = golden.smart_resize.filter(({ height, width, min_pixels, max_pixels, resized }) => {
      try {
        return String(smartResize(height, width, 28, min_pixels, max_pixels)) !== String(resized);
      } catch (error) {
        return resized !== null || !(error instanceof UserError);
      }
    });
    expect(wrong).toEqual([]);
  });

  it.each(golden.images)("decodes $file ($mode)", async ({ file, mode }) => {
    const { image } = await decodeImage({ path: file }, goldens);
    const expected = decoded(file);
    expect([image.width, image.height]).toEqual([expected.width, expected.height]);
    if (mode === "I;16") {
      // Pillow cuts 16-bit grey at 255, we take the high byte: 0 where Pillow kept the value, any value where it did not.
      expect(image.data.every((value, i) => value === 0 || expected.data[i] === 255)).toBe(true);
      expect(new Set(image.data).size).toBeGreaterThan(50);
    } else {
      expect(Buffer.compare(image.data, expected.data)).toBe(0);
    }
  });

  it.each(golden.cases)("resizes $image to grid $grid_thw", (example) => {
    const { min_pixels, max_pixels, grid_thw } = example;
    const config = parseImageProcessorConfig({ min_pixels, max_pixels }, "golden");
    const image = decoded(example.image);
    const { patches, grid } = patchify(image, config);
    expect(grid).toEqual(grid_thw);
    expect(patches).toHaveLength(grid[1] * grid[2] * 1176);
    if (example.resized !== null) {
      const resized = resizeBicubic(image, grid[2] * 14, grid[1] * 14);
      expect(Buffer.compare(resized.data, tensors.readBytes(example.resized))).toBe(0);
    }
    if (example.pixel_values !== null) expect(patches).toEqual(tensors.readFloat32(example.pixel_values));
  });
});

describe.each(Object.keys(golden.hashes.configs))("as transformers, under preprocessor_config.json of %s", (name) => {
  const config = parseImageProcessorConfig(golden.hashes.configs[name], name);

  it.each(golden.hashes.images.filter((each) => each.config === name))(
    "$image: grid $grid_thw, every bit",
    (expected) => {
      const { patches, grid } = patchify(decoded(expected.image), config);
      expect(grid).toEqual(expected.grid_thw);
      const bytes = new Uint8Array(patches.buffer, patches.byteOffset, patches.byteLength);
      expect(createHash("sha256").update(bytes).digest("hex")).toBe(expected.sha256);
    },
  );
});

describe("patchify", () => {
  it("orders a patch by channel, time, row, column and repeats the frame", () => {
    const data = Uint8Array.from({ length: 28 * 28 * 3 }, (_, i) => (i % 3) * 80 + (Math.floor(i / 3) % 28));
    const config = parseImageProcessorConfig({ min_pixels: 784, image_mean: [0, 0, 0], image_std: [1, 1, 1] }, "x");
    const { patches } = patchify({ width: 28, height: 28, channels: 3, data }, config);
    const value = (patch: number, channel: number, t: number, y: number, x: number): number =>
      Math.round(255 * patches[patch * 1176 + channel * 392 + t * 196 + y * 14 + x]!);
    expect([value(0, 0, 0, 0, 0), value(0, 0, 0, 0, 5), value(1, 0, 0, 3, 0), value(3, 2, 1, 13, 13)]).toEqual([
      0, 5, 14, 187,
    ]);
    expect(value(2, 1, 0, 7, 3)).toBe(value(2, 1, 1, 7, 3));
  });
});

describe("parseImageProcessorConfig", () => {
  it("reads both spellings of the limits; min_pixels and max_pixels go first", () => {
    const limits = (json: object): number[] => {
      const { minPixels, maxPixels } = parseImageProcessorConfig(json, "x");
      return [minPixels, maxPixels];
    };
    expect(limits({})).toEqual([3136, 1003520]);
    expect(limits({ size: { shortest_edge: 784, longest_edge: 9999 } })).toEqual([784, 9999]);
    expect(limits({ size: { min_pixels: 784, max_pixels: 9999 } })).toEqual([784, 9999]);
    expect(limits({ min_pixels: 800, size: { shortest_edge: 784, longest_edge: 9999 } })).toEqual([800, 9999]);
  });

  it.each<[string, unknown, RegExp]>([
    ["no object", null, /configuration pre\.json: the file: /],
    ["another processor", { image_processor_type: "CLIPImageProcessor" }, /image_processor_type: is not a Qwen2-VL/],
    ["a negative limit", { min_pixels: -1 }, /min_pixels/],
    ["limits in reverse", { min_pixels: 9000, max_pixels: 4000 }, /min_pixels 9000 and max_pixels 4000 must allow/],
    ["limits below one token", { min_pixels: 1, max_pixels: 500 }, /at least one token of 784 pixels/],
    ["another filter", { resample: 2 }, /resample: only 3 \(bicubic\) is supported/],
    ["no resizing", { do_resize: false }, /do_resize: only true is supported/],
    ["one mean", { image_mean: [0.5] }, /image_mean/],
    ["a size of another kind", { size: { height: 224, width: 224 } }, /size/],
  ])("refuses %s", (_, json, message) => {
    expect(() => parseImageProcessorConfig(json, "pre.json")).toThrow(UserError);
    expect(() => parseImageProcessorConfig(json, "pre.json")).toThrow(message);
  });
});
