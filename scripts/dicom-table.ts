/** Compares viva with pydicom on pydicom's own test files and writes the table of docs/results/dicom.md. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { writeFileAtomic } from "../src/io/files.ts";
import { compareDicomFiles, type DicomRow, pydicom } from "../test/real/dicom-files.ts";
import { pythonEnvironment } from "../test/real/python.ts";

/** The lines between the marks of the page. */
export function dicomTable(rows: readonly DicomRow[], without: readonly string[]): string {
  const shown = rows.filter(({ difference }) => difference !== null);
  const equal = shown.filter(({ difference }) => difference === 0).length;
  const lines = rows.map(({ name, syntax, photometric, bits, frames, difference, refusal, pydicomError }) => {
    const stored = [
      photometric,
      bits === undefined ? undefined : `${bits} bits`,
      (frames ?? 1) > 1 ? `${frames} frames` : "",
    ];
    const result =
      refusal ?? (difference === null ? `shown; pydicom refuses: ${sentence(pydicomError!)}` : String(difference));
    return `| ${name} | ${syntaxNames[syntax ?? ""] ?? syntax ?? ""} | ${stored.filter(Boolean).join(", ")} | ${result} |`;
  });
  return [
    `${rows.length} files hold an image. ${shown.length} are shown by both, ${equal} of them with equal pixels; ` +
      `${rows.filter(({ refusal }) => refusal !== null).length} are refused by viva.`,
    "",
    "| file | transfer syntax | pixels | greatest difference, or why not shown |",
    "|---|---|---|---|",
    ...lines,
    "",
    `Without an image, or without one that pydicom finds: ${without.join(", ")}.`,
  ].join("\n");
}

const syntaxNames: Readonly<Record<string, string>> = {
  "1.2.840.10008.1.2": "implicit little-endian",
  "1.2.840.10008.1.2.1": "explicit little-endian",
  "1.2.840.10008.1.2.1.99": "deflated",
  "1.2.840.10008.1.2.2": "big-endian",
  "1.2.840.10008.1.2.5": "RLE",
  "1.2.840.10008.1.2.4.50": "JPEG baseline",
  "1.2.840.10008.1.2.4.51": "JPEG extended",
  "1.2.840.10008.1.2.4.70": "JPEG lossless",
  "1.2.840.10008.1.2.4.80": "JPEG-LS lossless",
  "1.2.840.10008.1.2.4.81": "JPEG-LS",
  "1.2.840.10008.1.2.4.90": "JPEG 2000 lossless",
  "1.2.840.10008.1.2.4.91": "JPEG 2000",
};

const sentence = (error: string) => error.replace(/\s+/g, " ").replace(/^(.{90}).+$/, "$1…");

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const environment = await pythonEnvironment(pydicom);
  if (typeof environment === "string") throw new Error(environment);
  const { rows, without } = await compareDicomFiles(environment.python);
  const page = fileURLToPath(new URL("../docs/results/dicom.md", import.meta.url));
  const marks = /(<!-- table -->\n).*(\n<!-- end -->)/s;
  const text = readFileSync(page, "utf8").replace(marks, (_, start, end) => start + dicomTable(rows, without) + end);
  writeFileAtomic(page, text);
}
