/** What a model folder holds as one hash, wherever it lies. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

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
