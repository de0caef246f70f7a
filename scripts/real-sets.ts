/**
 * Writes MedNIST (folders of images by class) and PneumoniaMNIST (an npz) as JSONL data sets, for experiments on real images:
 * npx tsx scripts/real-sets.ts mednist FOLDER OUT; npx tsx scripts/real-sets.ts pneumoniamnist FILE.npz OUT. Neither set tells
 * its patients, so every image is a subject.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { inflateRawSync } from "node:zlib";
import { encodePng } from "../src/io/images.ts";

const NAMES: Readonly<Record<string, string>> = {
  AbdomenCT: "abdomen CT",
  BreastMRI: "breast MRI",
  CXR: "chest x-ray",
  ChestCT: "chest CT",
  Hand: "hand x-ray",
  HeadCT: "head CT",
};

const [kind, source, out] = process.argv.slice(2);
if (source === undefined || out === undefined) throw new Error("usage: real-sets.ts mednist|pneumoniamnist SOURCE OUT");
mkdirSync(out, { recursive: true });
if (kind === "mednist") mednist(source, out);
else await pneumoniamnist(source, out);

/** Every fifth image of a class is of the test split. */
function mednist(folder: string, out: string): void {
  const rows: Record<"train" | "test", string[]> = { train: [], test: [] };
  for (const name of readdirSync(folder).sort()) {
    for (const [i, file] of readdirSync(join(folder, name)).sort().entries()) {
      const image = resolve(folder, name, file);
      const row = { id: `${name}/${file}`, image, question: "What is shown?", answer: NAMES[name] ?? name };
      rows[i % 5 === 4 ? "test" : "train"].push(JSON.stringify(row));
    }
  }
  for (const [split, lines] of Object.entries(rows)) writeLines(join(out, `${split}.jsonl`), lines);
}

/** Of the training split as many images with pneumonia as without: nine in ten have it there. */
async function pneumoniamnist(file: string, out: string): Promise<void> {
  const arrays = readNpz(readFileSync(file));
  for (const [split, name] of [
    ["train", "train"],
    ["val", "validation"],
    ["test", "test"],
  ] as const) {
    const images = arrays.get(`${split}_images.npy`)!;
    const labels = arrays.get(`${split}_labels.npy`)!;
    mkdirSync(join(out, "images"), { recursive: true });
    const rows: string[] = [];
    const healthy = labels.filter((label) => label === 0).length;
    let ill = 0;
    for (const [i, label] of [...labels].entries()) {
      if (split === "train" && label === 1 && ++ill > healthy) continue;
      const path = `images/${split}-${i}.png`;
      const data = images.slice(i * 784, (i + 1) * 784);
      writeFileSync(join(out, path), await encodePng({ width: 28, height: 28, channels: 1, data }));
      rows.push(
        JSON.stringify({ id: `${split}-${i}`, image: path, question: "Is there pneumonia?", answer: label === 1 }),
      );
    }
    writeLines(join(out, `${name}.jsonl`), rows);
  }
}

function writeLines(path: string, lines: readonly string[]): void {
  writeFileSync(path, lines.map((line) => `${line}\n`).join(""));
}

/** The arrays of an npz by name: a zip whose files are npy version 1 of unsigned bytes. */
function readNpz(zip: Buffer): ReadonlyMap<string, Uint8Array> {
  const end = zip.lastIndexOf("PK\u0005\u0006");
  const arrays = new Map<string, Uint8Array>();
  let at = zip.readUInt32LE(end + 16);
  for (let n = zip.readUInt16LE(end + 10); n > 0; n--) {
    const [method, size] = [zip.readUInt16LE(at + 10), zip.readUInt32LE(at + 20)];
    const [name, extra, comment] = [28, 30, 32].map((field) => zip.readUInt16LE(at + field));
    const file = zip.toString("latin1", at + 46, at + 46 + name!);
    const local = zip.readUInt32LE(at + 42);
    const begin = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    const stored = zip.subarray(begin, begin + size);
    const npy = method === 0 ? stored : inflateRawSync(stored);
    const header = npy.toString("latin1", 10, 10 + npy.readUInt16LE(8));
    if (!/'descr': '[|<]u1'/.test(header)) throw new Error(`${file}: only unsigned bytes are read, got ${header}`);
    arrays.set(file, npy.subarray(10 + npy.readUInt16LE(8)));
    at += 46 + name! + extra! + comment!;
  }
  return arrays;
}
