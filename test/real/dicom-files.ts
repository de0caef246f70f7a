/** pydicom's own test files, frame by frame, as viva shows them and as pydicom does. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf, UserError } from "../../src/core/errors.ts";
import { decodeImage } from "../../src/io/images.ts";
import type { PythonNeeds } from "./python.ts";

/** pydicom with its test files, and decoders for every common transfer syntax. */
export const pydicom: PythonNeeds = {
  name: "pydicom",
  requirements: [
    ...["pydicom==3.0.2", "numpy==2.4.6", "pillow==13.0.0", "pylibjpeg==2.1.0", "pylibjpeg-libjpeg==2.5.0"],
    ...["pylibjpeg-openjpeg==2.6.0", "pylibjpeg-rle==2.2.0", "pyjpegls==1.5.1"],
  ],
  withoutDependencies: ["pydicom-data==1.0.0"],
};

/** What pydicom says of a file (scripts/goldens/dicom_reference.py). */
interface Reference {
  readonly file: string;
  readonly image: boolean;
  readonly syntax?: string;
  readonly photometric?: string;
  readonly bits?: number;
  readonly frames?: number;
  readonly error?: string;
  readonly shown?: readonly {
    readonly frame: number;
    readonly width: number;
    readonly height: number;
    readonly channels: 1 | 3;
  }[];
}

/** A row of the table: where both show pixels, how far the greys lie apart at most. */
export interface DicomRow extends Omit<Reference, "file" | "shown" | "error"> {
  readonly name: string;
  /** The greatest difference of any sample of the frames compared; null where one of the two shows none. */
  readonly difference: number | null;
  /** viva's sentence where it shows none. */
  readonly refusal: string | null;
  /** pydicom's where it shows none. */
  readonly pydicomError: string | null;
}

/** The files that hold images, by name, and those of pydicom's test files that hold none. */
export async function compareDicomFiles(
  python: string,
): Promise<{ readonly rows: readonly DicomRow[]; readonly without: readonly string[] }> {
  const out = mkdtempSync(join(tmpdir(), "viva-dicom-"));
  try {
    const files = testFiles(python);
    const script = fileURLToPath(new URL("../../scripts/goldens/dicom_reference.py", import.meta.url));
    mkdirSync(join(out, "reference"));
    execFileSync(python, ["-W", "ignore", script, join(out, "reference"), ...files], { stdio: "pipe", maxBuffer: 1e8 });
    const references: Reference[] = JSON.parse(readFileSync(join(out, "reference", "index.json"), "utf8"));
    const rows: DicomRow[] = [];
    for (const [i, reference] of references.entries()) {
      if (reference.image) rows.push(await compare(reference, join(out, "reference", String(i))));
    }
    const without = references.filter(({ image }) => !image).map(({ file }) => basename(file));
    return { rows: rows.sort((a, b) => (a.name < b.name ? -1 : 1)), without };
  } finally {
    rmSync(out, { recursive: true });
  }
}

/** Of pydicom and of pydicom-data, which holds the larger ones. */
function testFiles(python: string): readonly string[] {
  const code = "import pydicom.data, data_store; print(pydicom.data.__file__); print(data_store.__file__)";
  const [own, more] = execFileSync(python, ["-c", code]).toString().trim().split("\n");
  const folders = [join(own!, "..", "test_files"), join(more!, "..", "data")];
  return folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".dcm"))
      .map((name) => join(folder, name)),
  );
}

async function compare({ file, shown = [], error, ...about }: Reference, binaries: string): Promise<DicomRow> {
  const row = { name: basename(file), ...about, pydicomError: error ?? null };
  const frames = shown.length === 0 ? [{ frame: 0, width: 0, height: 0, channels: 1 as const }] : shown;
  let difference = 0;
  try {
    for (const { frame, width, height, channels } of frames) {
      const { image } = await decodeImage({ path: (about.frames ?? 1) > 1 ? `${file}#frame=${frame + 1}` : file });
      if (shown.length === 0) continue;
      const expected = readFileSync(`${binaries}-${frame}.bin`);
      if (image.width !== width || image.height !== height)
        throw new Error(`${file}: ${image.width} x ${image.height}`);
      for (let i = 0; i < image.data.length; i++) {
        const own = channels === 3 ? expected[i]! : expected[Math.floor(i / 3)]!;
        difference = Math.max(difference, Math.abs(image.data[i]! - own));
      }
    }
    return { ...row, difference: shown.length === 0 ? null : difference, refusal: null };
  } catch (thrown) {
    if (!(thrown instanceof UserError)) throw thrown;
    return { ...row, difference: null, refusal: messageOf(thrown).replace(/^image \S+ /, "") };
  }
}
