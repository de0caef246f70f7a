import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, describe, expect, it } from "vitest";
import { messageOf, UserError } from "../core/errors.ts";
import type { RawImage } from "../core/records.ts";
import { sha256 } from "./files.ts";
import { decodeImage, encodePng } from "./images.ts";
import { ycbcrToRgb } from "./tiff-ycbcr.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-images-"));
afterAll(() => rmSync(folder, { recursive: true }));

const width = 16;
const height = 8;
const rgb = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 37) % 256);
const raw = { raw: { width, height, channels: 3 } } as const;
const grey = Uint8Array.from({ length: width * height }, (_, i) => (i * 11) % 256);

/** Writes a file and decodes it. */
async function decode(name: string, bytes: Uint8Array): Promise<RawImage> {
  writeFileSync(join(folder, name), bytes);
  const decoded = await decodeImage({ path: name }, folder);
  expect(decoded.sha256).toBe(sha256(bytes));
  expect([decoded.width, decoded.height]).toEqual([decoded.image.width, decoded.image.height]);
  expect(decoded.image.channels).toBe(3);
  expect(decoded.image.data).toHaveLength(decoded.width * decoded.height * 3);
  return decoded.image;
}

describe("decodeImage keeps the pixels of", () => {
  it("PNG, lossless WebP and TIFF", async () => {
    expect((await decode("a.png", await sharp(rgb, raw).png().toBuffer())).data).toEqual(Buffer.from(rgb));
    const webp = await sharp(rgb, raw).webp({ lossless: true }).toBuffer();
    expect((await decode("a.webp", webp)).data).toEqual(Buffer.from(rgb));
    const tiff = await sharp(rgb, raw).tiff({ compression: "lzw" }).toBuffer();
    expect((await decode("a.tiff", tiff)).data).toEqual(Buffer.from(rgb));
  });

  it("grey, as three equal channels", async () => {
    const image = await decode("grey.png", await encodePng({ width, height, channels: 1, data: grey }));
    expect([...image.data]).toEqual([...grey].flatMap((value) => [value, value, value]));
  });

  it("JPEG, nearly", async () => {
    const { data } = await decode("flat.jpg", await sharp(new Uint8Array(rgb.length).fill(90), raw).jpeg().toBuffer());
    expect(Math.max(...data) - Math.min(...data)).toBeLessThanOrEqual(1);
  });
});

describe("decodeImage converts", () => {
  it("16-bit grey and colour by their full range: v >> 8", async () => {
    const values = Uint16Array.from({ length: width * height }, (_, i) => i * 512 + 255);
    const input = { raw: { width, height, channels: 1 } } as const;
    const png = await sharp(values, input).toColourspace("grey16").png().toBuffer();
    expect((await sharp(png).metadata()).depth).toBe("ushort");
    const image = await decode("grey16.png", png);
    expect([...image.data].filter((_, i) => i % 3 === 0)).toEqual([...values].map((value) => value >> 8));
  });

  it("16-bit images within a range, which is part of their hash", async () => {
    const values = Uint16Array.of(0, 1000, 2000, 3000, 5000, 65535);
    const path = join(folder, "range.png");
    for (const [channels, space] of [
      [1, "grey16"],
      [3, "rgb16"],
    ] as const) {
      const input = { raw: { width: 6 / channels, height: 1, channels } };
      writeFileSync(path, await sharp(values, input).toColourspace(space).png().toBuffer());
      const { image, sha256: hash } = await decodeImage({ path, range: [1000, 5000] });
      const greys = channels === 1 ? [...image.data].filter((_, i) => i % 3 === 0) : [...image.data];
      expect(greys).toEqual([0, 0, 64, 128, 255, 255]);
      expect(hash).not.toBe((await decodeImage({ path })).sha256);
    }
    const eight = await encodePng({ width, height, channels: 1, data: grey });
    writeFileSync(path, eight);
    expect((await decodeImage({ path, range: [0, 10] })).sha256).toBe(sha256(eight));
  });

  it("a GIF's transparent pixels to the colours that they have, as Pillow does", async () => {
    const image = await decode("transparent.gif", transparentGif());
    expect([...image.data]).toEqual([10, 20, 30, 200, 100, 50, 10, 20, 30]);
  });

  it("YCbCr in TIFF by the tables of Pillow or libtiff", async () => {
    const pixels = Uint8Array.of(175, 158, 2, 174, 161, 6); // Pillow 13: raw pixels, and LZW
    const fields = { width: 2, height: 1, samples: 3, bits: 8, sampleFormat: 1, photometric: 6 };
    const image = await decode("ycbcr.tiff", plainTiff(fields, pixels));
    expect([...image.data]).toEqual([0, 254, 228, 2, 249, 232]);
    ycbcrToRgb(pixels, "libtiff");
    expect([...pixels]).toEqual([0, 255, 228, 3, 250, 232]);
  });

  it("alpha by dropping it, not by blending", async () => {
    const rgba = Uint8Array.from({ length: width * height * 4 }, (_, i) =>
      i % 4 === 3 ? (i * 5) % 256 : rgb[Math.floor(i / 4) * 3 + (i % 4)]!,
    );
    const png = await sharp(rgba, { raw: { width, height, channels: 4 } })
      .png()
      .toBuffer();
    expect((await decode("rgba.png", png)).data).toEqual(Buffer.from(rgb));
  });

  it("a palette to its colours", async () => {
    const colours = Uint8Array.from(rgb, (_, i) => [255, 0, 10, 3, 200, 77][i % 6]!);
    const png = await sharp(colours, raw).png({ palette: true, dither: 0 }).toBuffer();
    expect((await sharp(png).metadata()).isPalette).toBe(true);
    expect((await decode("palette.png", png)).data).toEqual(Buffer.from(colours));
  });

  it("CMYK by Pillow's plain formula", async () => {
    const inks = Uint8Array.from({ length: 8 * 4 }, (_, i) => [0, 255, 128, 55][i % 4]!);
    const tiff = plainTiff({ width: 8, height: 1, samples: 4, bits: 8, sampleFormat: 1, photometric: 5 }, inks);
    expect((await sharp(tiff).metadata()).space).toBe("cmyk");
    const { data } = await decode("cmyk.tiff", tiff);
    expect([...data.subarray(0, 3)]).toEqual([200, 0, 100]);
  });

  it("a turned photo by its EXIF orientation", async () => {
    const lossless = sharp(rgb, raw).webp({ lossless: true }).withMetadata({ orientation: 6 });
    const image = await decode("turned.webp", await lossless.toBuffer());
    expect([image.width, image.height]).toEqual([height, width]);
    expect([...image.data.subarray(0, 3)]).toEqual([
      ...rgb.subarray(3 * width * (height - 1), 3 * width * (height - 1) + 3),
    ]);
  });
});

describe("decodeImage takes pixels", () => {
  it("as they are, grey as RGB, with a hash of their own", async () => {
    const pixels: RawImage = { width, height, channels: 1, data: grey };
    const decoded = await decodeImage({ path: "phantom:chest/7/12", pixels });
    expect(decoded.image.data.slice(0, 6)).toEqual(Uint8Array.of(0, 0, 0, 11, 11, 11));
    expect(decoded.sha256).toBe(sha256(grey));
  });

  it.each([
    { width: 0, height: 4, data: 0 },
    { width: 2, height: 2, data: 11 },
    { width: 1.5, height: 2, data: 9 },
  ])("not of the size %j", async ({ width, height, data }) => {
    const pixels: RawImage = { width, height, channels: 3, data: new Uint8Array(data) };
    await expect(decodeImage({ path: "phantom:x", pixels })).rejects.toThrow(/^image phantom:x: .* positive size/);
  });
});

describe("decodeImage refuses, naming the file,", () => {
  const noise = Uint8Array.from({ length: 200 * 200 * 3 }, (_, i) => (i * i * 31) % 256);
  const noisy = { raw: { width: 200, height: 200, channels: 3 } } as const;
  const half = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, bytes.length >> 1);

  it.each<[string, () => Promise<Uint8Array> | Uint8Array, RegExp]>([
    ["an empty file", () => Buffer.alloc(0), /is an empty file/],
    ["text", () => Buffer.from("hello"), /is no image in a known format/],
    [
      "DICOM",
      () => Buffer.concat([Buffer.alloc(128), Buffer.from("DICM1234")]),
      /is a damaged DICOM file: replace it$/,
    ],
    ["SVG", () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), /format svg.*convert/],
    ["a PDF", () => Buffer.from("%PDF-1.4 1 0 obj"), /is no image in a known format/],
    ["half a JPEG", async () => half(await sharp(noise, noisy).jpeg().toBuffer()), /damaged or cut short.*replace it/],
    ["a JPEG short of its end", async () => (await sharp(noise, noisy).jpeg().toBuffer()).subarray(0, -2), /cut short/],
    ["half a PNG", async () => half(await sharp(noise, noisy).png().toBuffer()), /damaged or cut short/],
    ["half a WebP", async () => half(await sharp(noise, noisy).webp().toBuffer()), /damaged/],
    ["the head of a PNG", async () => (await sharp(noise, noisy).png().toBuffer()).subarray(0, 20), /damaged/],
    ["floating-point pixels", () => floatTiff(), /pixels of type float: convert it to an 8-bit PNG/],
    ["a decompression bomb", () => hugePng(), /has 30000 x 30000 pixels, more than 100000000: scale it down/],
  ])("%s", async (_, make, message) => {
    const path = join(folder, "bad.img");
    writeFileSync(path, await make());
    const error = await decodeImage({ path }).then(
      () => expect.unreachable("it was decoded"),
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(UserError);
    expect(messageOf(error)).toMatch(message);
    expect(messageOf(error)).toContain(path);
    expect(messageOf(error)).not.toContain("\n");
  });

  it("a missing file and a folder", async () => {
    await expect(decodeImage({ path: "none.png" }, folder)).rejects.toThrow(
      /cannot read image .*none.png: there is no such file/,
    );
    await expect(decodeImage({ path: folder })).rejects.toThrow(/it is a folder/);
  });
});

it("encodePng writes what decodeImage reads", async () => {
  const image: RawImage = { width, height, channels: 3, data: rgb };
  expect((await decode("back.png", await encodePng(image))).data).toEqual(Buffer.from(rgb));
  expect(readFileSync(join(folder, "back.png")).subarray(1, 4).toString()).toBe("PNG");
});

function floatTiff(): Uint8Array {
  const bytes = new Uint8Array(Float32Array.from({ length: 64 }, (_, i) => i / 64).buffer);
  return plainTiff({ width: 8, height: 8, samples: 1, bits: 32, sampleFormat: 3, photometric: 1 }, bytes);
}

interface TiffFields {
  readonly width: number;
  readonly height: number;
  readonly samples: number;
  readonly bits: number;
  /** 1 unsigned, 3 float. */
  readonly sampleFormat: number;
  /** 1 grey, 5 CMYK, 6 YCbCr. */
  readonly photometric: number;
}

/** An uncompressed little-endian TIFF of one strip. */
function plainTiff(fields: TiffFields, data: Uint8Array): Uint8Array {
  const { width, height, samples, bits } = fields;
  const entries: readonly (readonly [tag: number, value: number])[] = [
    [256, width],
    [257, height],
    [258, bits],
    [259, 1],
    [262, fields.photometric],
    [273, 0],
    [277, samples],
    [278, height],
    [279, data.length],
    [339, fields.sampleFormat],
    [530, 0x00010001], // of YCbCr: colour as fine as brightness
  ];
  const directory = 8 + 8 * samples;
  const start = directory + 2 + 12 * entries.length + 4;
  const bytes = Buffer.alloc(start + data.length);
  bytes.write("II*\0", "latin1");
  bytes.writeUInt32LE(directory, 4);
  for (let i = 0; i < samples; i++) bytes.writeUInt16LE(bits, 8 + 2 * i); // bits of each sample, then their formats
  for (let i = 0; i < samples; i++) bytes.writeUInt16LE(fields.sampleFormat, 8 + 4 * samples + 2 * i);
  bytes.writeUInt16LE(entries.length, directory);
  entries.forEach(([tag, value], i) => {
    const isPerSample = (tag === 258 || tag === 339) && samples > 2;
    const at = directory + 2 + 12 * i;
    bytes.writeUInt16LE(tag, at);
    bytes.writeUInt16LE(tag === 258 || tag === 339 || tag === 530 ? 3 : 4, at + 2); // 16 or 32 bits
    bytes.writeUInt32LE(tag === 530 ? 2 : isPerSample ? samples : 1, at + 4);
    bytes.writeUInt32LE(isPerSample ? (tag === 258 ? 8 : 8 + 4 * samples) : tag === 273 ? start : value, at + 8);
  });
  bytes.set(data, start);
  return bytes;
}

/** Two pixels, the first transparent, in a canvas of three. */
function transparentGif(): Uint8Array {
  const palette = [0, 0, 0, 10, 20, 30, 200, 100, 50, 0, 0, 0];
  const control = [0x21, 0xf9, 4, 1, 0, 0, 1, 0];
  const frame = [0x2c, 0, 0, 0, 0, 2, 0, 1, 0, 0];
  const pixels = [2, 2, 0x8c, 0x0a, 0]; // clear, 1, 2, end in codes of three bits
  return Buffer.from([
    ...Buffer.from("GIF89a"),
    3,
    0,
    1,
    0,
    0x81,
    0,
    0,
    ...palette,
    ...control,
    ...frame,
    ...pixels,
    0x3b,
  ]);
}

/** A PNG that declares 30,000 x 30,000 pixels; nothing of it needs to be decoded to refuse it. */
async function hugePng(): Promise<Uint8Array> {
  const png = Buffer.from(await encodePng({ width: 1, height: 1, channels: 1, data: Uint8Array.of(0) }));
  png.writeUInt32BE(30_000, 16);
  png.writeUInt32BE(30_000, 20);
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
  return png;
}

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
