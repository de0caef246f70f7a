import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Example } from "../core/records.ts";
import { copiedImages } from "./copies.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-copies-"));
const at = (name: string) => join(folder, name);
const example = (name: string): Example => ({
  ...{ id: name, subjectId: name, question: "?", images: [{ path: at(name) }], answer: "yes", answerType: "closed" },
  ...{ choices: [], meta: {} },
});
const film = (seed: number, last = 0) => {
  const pixels = Buffer.from(Array.from({ length: 60 * 40 }, (_, i) => (i * (seed + 3)) % 251));
  pixels[pixels.length - 1] = last;
  return sharp(pixels, { raw: { width: 60, height: 40, channels: 1 } });
};

beforeAll(async () => {
  await film(1).png().toFile(at("train.png"));
  copyFileSync(at("train.png"), at("bytes.png"));
  await film(1).png({ compressionLevel: 0 }).toFile(at("packed.png"));
  await film(1).toColourspace("srgb").tiff({ compression: "lzw" }).toFile(at("format.tif"));
  await film(1, 255).png().toFile(at("one-pixel.png"));
  await film(1).resize(30, 20).png().toFile(at("smaller.png"));
  await film(2).png().toFile(at("other.png"));
  writeFileSync(at("damaged.png"), "no image");
});
afterAll(() => rmSync(folder, { recursive: true }));

it("finds files with the same pixels under other names, and nothing that only looks alike", async () => {
  const asked = ["bytes.png", "packed.png", "format.tif", "one-pixel.png", "smaller.png", "other.png", "damaged.png"];
  const copies = await copiedImages([example("train.png"), example("damaged.png")], asked.map(example));
  const [seen] = [at("train.png")];
  expect([...copies]).toEqual(["bytes.png", "packed.png", "format.tif"].map((name) => [at(name), seen]));
});

it("leaves out the same path, which is known, and pixels that are drawn when they are looked at", async () => {
  const drawn = {
    path: "drawn",
    get pixels(): never {
      throw new Error("looked at");
    },
  };
  const given = { ...example("given"), images: [drawn] };
  expect((await copiedImages([example("train.png"), given], [example("train.png"), given])).size).toBe(0);
});
