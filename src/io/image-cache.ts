/** Image files that came within other files (parquet columns), kept by their content so that every reader finds a path. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { sha256, writeFileAtomic } from "./files.ts";

/** Where images are kept: `VIVA_CACHE`, else `viva` in the user's cache folder. */
export function imageCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const cache = env.VIVA_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "viva");
  return join(cache, "images");
}

/** The path and the hash of an image file with these bytes, written where it is not there yet. */
export function cachedImage(bytes: Uint8Array, folder = imageCacheFolder()) {
  const hash = sha256(bytes);
  const path = join(folder, hash.slice(0, 2), hash);
  if (!existsSync(path)) writeFileAtomic(path, bytes);
  return { path, sha256: hash };
}
