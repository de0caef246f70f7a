import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { windowPresets } from "../../core/windows.ts";
import { decodeImage, imageExtension, imageSize } from "../images.ts";
import { blankedNifti } from "./blank.ts";

interface Golden {
  readonly width: number;
  readonly height: number;
  /** Greys of each slice without a window, and in one. */
  readonly own: readonly string[];
  readonly window: readonly string[];
}

const folder = fileURLToPath(new URL("../../../test/golden/nifti", import.meta.url));
const at = (name: string) => join(folder, name);
const golden: {
  readonly window: { readonly center: number; readonly width: number };
  readonly files: Readonly<Record<string, Golden>>;
} = JSON.parse(readFileSync(at("golden.json"), "utf8"));
const names = Object.keys(golden.files);

const greys = (data: Uint8Array) => [...data.filter((_, i) => i % 3 === 0)];

/** The file with other bytes at a place. */
function edited(name: string, place: number, bytes: readonly number[]): Buffer {
  const out = Buffer.from(readFileSync(at(name)));
  out.set(bytes, place);
  return out;
}

describe("decodeImage", () => {
  it.each(names)("shows the axial slices of %s as nibabel lays them out", async (name) => {
    const { width, height, ...shown } = golden.files[name]!;
    expect(shown.own.length).toBe(5);
    for (const key of ["own", "window"] as const) {
      for (const [i, expected] of shown[key].entries()) {
        const ref = { path: `${at(name)}#frame=${i + 1}`, ...(key === "window" ? { window: golden.window } : {}) };
        const decoded = await decodeImage(ref);
        expect(await imageSize(ref)).toEqual({ width, height });
        expect(decoded).toMatchObject({ width, height });
        const nibabel = Buffer.from(expected, "base64");
        const far = greys(decoded.image.data).findIndex((value, p) => Math.abs(value - nibabel[p]!) > 1);
        expect(far, `slice ${i + 1}, ${key}`).toBe(-1);
      }
    }
  });

  it("has no preset change a volume, which does not say that it is CT; slices and windows are part of the hash", async () => {
    const path = `${at("ras.nii")}#frame=2`;
    const own = await decodeImage({ path });
    expect(await decodeImage({ path, window: windowPresets.brain })).toEqual(own);
    const others = [
      decodeImage({ path, window: golden.window }),
      decodeImage({ path: `${at("ras.nii")}#frame=3` }),
      decodeImage({ path: "request#frame=2", bytes: readFileSync(at("ras.nii")) }),
    ];
    const [windowed, third, sent] = await Promise.all(others);
    expect(new Set([own, windowed!, third!].map(({ sha256 }) => sha256)).size).toBe(3);
    expect(sent).toEqual(own);
  });

  it.each([
    ["no slice", at("ras.nii"), /ras\.nii has 5 axial slices: name one of them, as in .*ras\.nii#frame=1$/],
    ["a slice too far", `${at("las.nii.gz")}#frame=6`, /las\.nii\.gz#frame=6 is of a file with 5 axial slices$/],
  ])("refuses %s", async (_, path, message) => {
    await expect(decodeImage({ path })).rejects.toThrow(message);
    await expect(imageSize({ path })).rejects.toThrow(message);
  });

  it.each<[string, Uint8Array, RegExp]>([
    [
      "cut short",
      readFileSync(at("ras.nii")).subarray(0, -9),
      /^image x#frame=1 is a NIfTI file that is cut short: rep/,
    ],
    [
      "cut short in gzip",
      readFileSync(at("las.nii.gz")).subarray(0, -40),
      /is a compressed NIfTI file that is damaged: r/,
    ],
    [
      "longer than it says",
      gzipSync(Buffer.concat([readFileSync(at("ras.nii")), Buffer.alloc(1e6)])),
      /is a compressed NIfTI file that is longer than it says: replace it$/,
    ],
    ["a pair", edited("ras.nii", 345, [105]), /is a NIfTI header whose voxels lie in another file: save both as one/],
    ["of colours", edited("ras.nii", 70, [128, 0]), /is a NIfTI file with voxels of type 128, where whole numbers/],
    [
      "of several volumes",
      edited("ras.nii", 40, [4, 0, 11, 0, 9, 0, 1, 0, 5, 0]),
      /is a NIfTI file of 5 volumes, wher/,
    ],
    [
      "huge",
      edited("ras.nii", 42, [255, 127, 255, 127, 255, 127]),
      /is a NIfTI file of \d+ bytes; at most 1000000000 a/,
    ],
    ["without extent", edited("ras.nii", 42, [0, 0]), /^image x#frame=1 is a damaged NIfTI file: replace it$/],
    ["flat", edited("ras.nii", 280, Array(48).fill(0)), /does not say how it lies in the patient: replace it$/],
  ])("says of a file that is %s what is wrong", async (_, bytes, message) => {
    await expect(decodeImage({ path: "x#frame=1", bytes })).rejects.toThrow(message);
  });
});

describe("blankedNifti", () => {
  it.each(names)("keeps the voxels of %s and none of its texts", async (name) => {
    const bytes = readFileSync(at(name));
    const blank = blankedNifti(bytes);
    expect(imageExtension(blank)).toBe(name.endsWith(".gz") ? ".nii.gz" : ".nii");
    const plain = (of: Uint8Array) => Buffer.from(name.endsWith(".gz") ? gunzipSync(of) : of).toString("latin1");
    expect(plain(bytes)).toContain("CANARY");
    expect(plain(blank)).not.toContain("CANARY");
    const path = "x#frame=3";
    expect((await decodeImage({ path, bytes: blank })).image).toEqual((await decodeImage({ path, bytes })).image);
  });
});
