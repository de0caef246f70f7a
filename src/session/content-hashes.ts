/** What a model folder holds as one hash, wherever it lies. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { imageFile } from "../core/image-names.ts";
import type { Example } from "../core/records.ts";
import type { OnProgress } from "../runs/reporter.ts";
import type { PreferencePair } from "../train/pair-sources.ts";

/** SHA-256 over a model folder's files, by name. */
export async function hashModel(folder: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of readdirSync(folder).sort()) {
    if (!/\.(json|jinja|safetensors|txt)$/.test(name)) continue;
    hash.update(`${name}\n`);
    for await (const chunk of createReadStream(join(folder, name))) hash.update(chunk as Buffer);
  }
  return hash.digest("hex");
}

/** The same for a checkpoint, which has the hashes of its files in a file: reading that one is enough. */
export async function hashCheckpoint(folder: string): Promise<string> {
  const sums = join(folder, "checksums.json");
  return existsSync(sums) ? createHash("sha256").update(readFileSync(sums)).digest("hex") : hashModel(folder);
}

export async function hashPairs(pairs: readonly PreferencePair[]): Promise<string> {
  const hash = createHash("sha256").update(await hashExamples(pairs.map(({ example }) => example)));
  return hash.update(JSON.stringify(pairs.map(({ chosen, rejected }) => [chosen, rejected]))).digest("hex");
}

/** SHA-256 over what examples ask and answer and over the content of their images. */
export async function hashExamples(examples: readonly Example[], onProgress: OnProgress = () => {}): Promise<string> {
  const hash = createHash("sha256");
  const seen = new Set<string>();
  let done = 0;
  for (const { id, subjectId, question, answer, answerType, choices, rationale, facts, images, target } of examples) {
    const asked = [id, subjectId, question, answer, answerType, choices, rationale, facts];
    const texts = target === undefined ? asked : [...asked, target];
    onProgress(done++, examples.length);
    hash.update(JSON.stringify([...texts, images.map(({ path }) => path)]));
    for (const { path, pixels } of images) {
      if (seen.has(path)) continue;
      seen.add(path);
      hash.update(pixels === undefined ? await readFile(imageFile(path).file) : pixels.data);
    }
  }
  onProgress(examples.length, examples.length);
  return hash.digest("hex");
}
