import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { windowPresets } from "../../core/windows.ts";
import { decodeImage, imageSize } from "../images.ts";
import { parseDicom } from "./parse.ts";

const folder = fileURLToPath(new URL("../../../test/golden/dicom", import.meta.url));
const at = (name: string) => join(folder, `${name}.dcm`);
const golden: {
  readonly width: number;
  readonly height: number;
  readonly files: Readonly<Record<string, { readonly channels: number; readonly frames: readonly string[] }>>;
} = JSON.parse(readFileSync(join(folder, "golden.json"), "utf8"));

/** One value of each pixel of a grey image. */
const greys = (data: Uint8Array) => data.filter((_, i) => i % 3 === 0);

describe("decodeImage", () => {
  it.each(Object.keys(golden.files))("shows %s as pydicom does", async (name) => {
    const { channels, frames } = golden.files[name]!;
    for (const [i, expected] of frames.entries()) {
      const path = frames.length > 1 ? `${at(name)}#frame=${i + 1}` : at(name);
      const { image, width, height } = await decodeImage({ path });
      expect({ width, height, channels: image.channels }).toEqual({
        width: golden.width,
        height: golden.height,
        channels: 3,
      });
      expect(await imageSize({ path })).toEqual({ width, height });
      const pixels = channels === 3 ? image.data : greys(image.data);
      const pydicom = Buffer.from(expected, "base64");
      expect(pixels.length).toBe(pydicom.length);
      expect(pixels.findIndex((value, p) => Math.abs(value - pydicom[p]!) > 1)).toBe(-1);
    }
  });

  it("shows a window that is asked for, which is part of the hash, on greys alone", async () => {
    const own = await decodeImage({ path: at("ct") });
    const brain = await decodeImage({ path: at("ct"), window: windowPresets.brain });
    const numbers = await decodeImage({ path: at("ct"), window: { center: 40, width: 80 } });
    expect(brain.image.data).toEqual(numbers.image.data);
    expect(brain.image.data).not.toEqual(own.image.data);
    expect(brain.sha256).not.toBe(own.sha256);
    const units = await decodeImage({ path: at("ct"), window: { center: 128, width: 256 } }); // a Hounsfield unit is a grey
    const shown = greys(units.image.data).map((value) => Math.round((255 * Math.min(79, value)) / 79));
    expect(greys(brain.image.data)).toEqual(shown);
    const rgb = await decodeImage({ path: at("rgb") });
    expect(await decodeImage({ path: at("rgb"), window: { center: 1, width: 2 } })).toEqual(rgb);
  });

  it("leaves a window of one modality to files of that modality", async () => {
    const window = { center: 40, width: 80, modality: "MR" };
    expect((await decodeImage({ path: at("ct"), window })).image).toEqual(
      (await decodeImage({ path: at("ct") })).image,
    );
  });

  it("reads what comes as bytes, and a frame of it", async () => {
    const bytes = readFileSync(at("frames"));
    const second = await decodeImage({ path: "request#frame=2", bytes });
    expect(second.image).toEqual((await decodeImage({ path: `${at("frames")}#frame=2` })).image);
    expect(await imageSize({ path: "request#frame=2", bytes })).toEqual({ width: 64, height: 40 });
    const hashes = await Promise.all([1, 2, 3].map((n) => decodeImage({ path: `r#frame=${n}`, bytes })));
    expect(new Set(hashes.map(({ sha256 }) => sha256)).size).toBe(3);
  });

  it.each([
    ["no frame of several", at("frames"), /frames\.dcm has 3 frames: name one of them, as in .*frames\.dcm#frame=1$/],
    ["a frame too far", `${at("frames")}#frame=4`, /frames\.dcm#frame=4 is of a file with 3 frames$/],
    [
      "a frame of a PNG",
      `${join(folder, "../../../docs/phantoms.png")}#frame=1`,
      /is no DICOM or NIfTI file, so that no frame/,
    ],
  ])("refuses %s", async (_, path, message) => {
    const decoded = decodeImage({ path }).then(({ width, height }) => `decoded ${width} x ${height}`);
    await expect(decoded).rejects.toThrow(message);
    await expect(imageSize({ path })).rejects.toThrow(message);
  });

  it("says in one sentence what is wrong, and nothing that stands in the file", async () => {
    const whole = readFileSync(at("ct"));
    const { dataSet } = parseDicom(whole);
    const edited = (tag: string, bytes: readonly number[]) => {
      const out = Buffer.from(whole);
      out.set(bytes, dataSet.elements[tag]!.dataOffset);
      return out;
    };
    const cases: readonly (readonly [Uint8Array, RegExp])[] = [
      [whole.subarray(0, whole.length - 100), /^image x is a damaged DICOM file: replace it$/],
      [
        edited("x00280100", [32, 0]),
        /^image x is a DICOM file with 32 bits per sample, where up to 16 are read: convert it$/,
      ],
      [edited("x00280002", [2, 0]), /^image x is a DICOM file with 2 samples per pixel, where 1 or 3 are read$/],
      [edited("x00280010", [255, 255]), /^image x is a DICOM file whose pixels are cut short$/],
      [whole.subarray(0, dataSet.elements["x7fe00010"]!.dataOffset - 12), /^image x is a DICOM file without an image$/],
    ];
    for (const [bytes, message] of cases) await expect(decodeImage({ path: "x", bytes })).rejects.toThrow(message);
  });
});
