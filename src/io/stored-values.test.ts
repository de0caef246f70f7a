import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { inWindow } from "./dicom/greys.ts";
import type { StoredValues } from "./frame-image.ts";
import { storedValues } from "./stored-values.ts";

const folder = fileURLToPath(new URL("../../test/golden", import.meta.url));
const golden = (name: string) => JSON.parse(readFileSync(join(folder, name, "golden.json"), "utf8"));
const limits = { maxPixels: 1e6 };

/** The values in their units. */
function unitsOf({ data, slope = 1, intercept = 0 }: StoredValues): readonly number[] {
  return Array.from(new Uint16Array(data.buffer), (value) => slope * value + intercept);
}

function farthest(found: StoredValues, window: { center: number; width: number }, expected: string): number {
  const share = inWindow({ ...window, curve: "LINEAR" });
  const shown = unitsOf(found).map((value) => Math.round(255 * (found.inverse ? 1 - share(value) : share(value))));
  const reference = Buffer.from(expected, "base64");
  expect(shown.length).toBe(reference.length);
  return Math.max(...shown.map((value, i) => Math.abs(value - reference[i]!)));
}

describe("storedValues", () => {
  it("has what pydicom shows of a DICOM file in its window: rescaled, signed, inverse, through a table of the modality", async () => {
    const { files } = golden("dicom") as { files: Record<string, { frames: readonly string[] }> };
    const compared: string[] = [];
    for (const [name, { frames }] of Object.entries(files)) {
      if (["exact", "sigmoid"].includes(name)) continue; // windows of other curves
      for (const [i, expected] of frames.entries()) {
        const path = join(folder, "dicom", `${name}.dcm${frames.length > 1 ? `#frame=${i + 1}` : ""}`);
        const found = await storedValues(path, limits);
        if (found?.window === undefined) continue;
        compared.push(name);
        expect([name, farthest(found, found.window, expected)]).toEqual([name, expect.toSatisfy((far) => far <= 1)]);
      }
    }
    expect(compared).toEqual(expect.arrayContaining(["ct", "ct_signed_implicit", "frames_rle", "modality_lut"]));
    const inverse = (await storedValues(join(folder, "dicom/monochrome1.dcm"), limits))!; // 10 bits, no window: all that they hold
    const whole = { center: 512, width: 1024 };
    expect([inverse.inverse, farthest(inverse, whole, files["monochrome1"]!.frames[0]!) <= 1]).toEqual([true, true]);
    const ct = (await storedValues(join(folder, "dicom/ct.dcm"), limits))!;
    expect([ct.modality, ct.intercept]).toEqual(["CT", expect.any(Number)]);
    expect(await storedValues(join(folder, "dicom/rgb.dcm"), limits)).toBe(null);
  });

  it("has what nibabel reads of a NIfTI slice, whole numbers exactly", async () => {
    const { files, window } = golden("nifti") as {
      files: Record<string, { window: readonly string[] }>;
      window: { center: number; width: number };
    };
    for (const [name, { window: slices }] of Object.entries(files)) {
      for (const [i, expected] of slices.entries()) {
        const found = (await storedValues(join(folder, "nifti", `${name}#frame=${i + 1}`), limits))!;
        expect([name, i, farthest(found, window, expected)]).toEqual([name, i, expect.toSatisfy((far) => far <= 1)]);
      }
    }
    const whole = (await storedValues(join(folder, "nifti/ras.nii#frame=1"), limits))!;
    expect(unitsOf(whole).every(Number.isInteger)).toBe(true);
  });
});
