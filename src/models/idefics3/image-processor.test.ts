import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { UserError } from "../../core/errors.ts";
import type { RawImage } from "../../core/records.ts";
import { sha256 } from "../../io/files.ts";
import { decodeImage } from "../../io/images.ts";
import { visionPositions } from "../qwen_vl/positions.ts";
import {
  cutIntoTiles,
  type ImageProcessorConfig,
  parseImageProcessorConfig,
  patchify,
  planTiles,
} from "./image-processor.ts";
import { learnedPositions } from "./positions.ts";

const goldens = "test/golden/idefics3";
const shared = "../shared";

interface Case {
  readonly file: string;
  readonly setting: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly patch: number;
  readonly scale: number;
  readonly decoded: string;
  readonly rows: number;
  readonly columns: number;
  readonly grid: readonly number[];
  readonly patches: string;
}

const read = (file: string) => JSON.parse(readFileSync(join(goldens, file), "utf8"));
const parse = (json: unknown) => parseImageProcessorConfig(json, "preprocessor_config.json");

async function expectCase({ file, options, patch, scale, ...expected }: Case, folder: string): Promise<void> {
  const { image } = await decodeImage({ path: file }, folder);
  expect(sha256(image.data)).toBe(expected.decoded);
  const config = parse(options);
  const plan = planTiles(image, config);
  const { patches, grid } = patchify(cutIntoTiles(image, plan, config), config, { patch, merge: scale });
  expect([plan.rows, plan.columns, grid]).toEqual([expected.rows, expected.columns, expected.grid]);
  expect(sha256(new Uint8Array(patches.buffer))).toBe(expected.patches);
}

describe("pixels are transformers', bit for bit", () => {
  it.each<Case>(read("images.json").cases)("$file as $setting: $rows x $columns tiles", (example) =>
    expectCase(example, "test/golden/processor"),
  );

  it.skipIf(!existsSync(join(shared, "data"))).each<Case>(read("real.json").cases)(
    `$file as $setting: $rows x $columns tiles (skipped without ${shared})`,
    (example) => expectCase(example, shared),
  );
});

interface Positions {
  readonly per_side: number;
  readonly rows: readonly number[];
  readonly columns: readonly number[];
}

it.each<Positions>(read("positions.json").cases)(
  "learned positions of $per_side a side",
  ({ per_side, rows, columns }) => {
    const order = visionPositions([1, rows.length, columns.length], 1);
    const expected = Array.from({ length: order.length / 2 }, (_, i) => {
      return rows[order[2 * i]!]! * per_side + columns[order[2 * i + 1]!]!;
    });
    expect([...learnedPositions(rows.length, columns.length, 1, per_side)]).toEqual(expected);
  },
);

describe("tiles", () => {
  const image = (width: number, height: number): RawImage => {
    return { width, height, channels: 3, data: Uint8Array.from({ length: 3 * width * height }, (_, i) => i % 251) };
  };
  const config = parse({ do_resize: false, max_image_size: { longest_edge: 16 } });
  const cut = (of: RawImage, by: ImageProcessorConfig) => {
    const plan = planTiles(of, by);
    return { rows: plan.rows, columns: plan.columns, tiles: cutIntoTiles(of, plan, by) };
  };

  it("are read row by row, the whole image last", () => {
    const whole = image(48, 32);
    const { rows, columns, tiles } = cut(whole, config);
    expect([rows, columns, tiles.length]).toEqual([2, 3, 7]);
    const at = (x: number, y: number) => [...whole.data.subarray(3 * (48 * y + x), 3 * (48 * y + x) + 3)];
    expect([...tiles[1]!.data.subarray(0, 3)]).toEqual(at(16, 0));
    expect([...tiles[5]!.data.subarray(-3)]).toEqual(at(47, 31));
    expect(tiles.map(({ width, height }) => [width, height])).toEqual(new Array(7).fill([16, 16]));
  });

  it("are one where the image is no larger", () => {
    expect(cut(image(16, 16), config)).toEqual({ rows: 0, columns: 0, tiles: [image(16, 16)] });
    expect(cut(image(3, 1), config).tiles).toHaveLength(1);
    expect(cut(image(90, 20), { ...config, split: false }).tiles).toHaveLength(1);
  });
});

describe("preprocessor_config.json", () => {
  it.each([
    ["another family's", { image_processor_type: "Qwen2VLImageProcessor" }, /is not an image processor of Idefics3/],
    ["tiles of no real size", { max_image_size: { longest_edge: 5000 } }, /max_image_size\.longest_edge/],
    ["a size that none has", { size: { height: 5000, width: 10 } }, /size/],
    ["a spread of zero", { image_std: [1, 0, 1] }, /image_std: must not be 0/],
    ["bilinear resampling", { resample: 2 }, /resample: only 1 \(Lanczos\) and 3 \(bicubic\)/],
    ["raw pixels", { do_normalize: false }, /do_normalize: only true is supported/],
    ["no size that is known", { size: { shortest_edge: 5 } }, /: size/],
    ["null", null, /: the file: /],
  ])("of %s is refused", (_, json, message) => {
    expect(() => parse(json)).toThrow(UserError);
    expect(() => parse(json)).toThrow(message);
  });

  it.each(["SmolVLM-256M-Instruct", "SmolVLM-500M-Instruct"])(`of %s is read (skipped without ${shared})`, (name) => {
    const path = join(shared, "models/vlm_configs", name, "preprocessor_config.json");
    if (!existsSync(path)) return;
    const config = parse(JSON.parse(readFileSync(path, "utf8")));
    expect(config).toMatchObject({ size: { longestEdge: 2048 }, tile: 512, split: true });
  });
});
