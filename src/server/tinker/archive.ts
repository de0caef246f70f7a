/** A checkpoint as clients of the Tinker API download it: an adapter in PEFT's layout, file by file or as a tar archive. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createTar } from "nanotar";
import type { Checkpoint } from "./checkpoints.ts";

/** What is for resuming, not for loading the adapter. */
const OWN = /^(optimizer\.safetensors|engine\.json|reference\.safetensors)$/;
/** The SDK's command line takes an archive for whole that holds this file. */
const COMPLETE = "checkpoint_complete";

export function filesOf({ folder }: Checkpoint): readonly string[] {
  return readdirSync(folder).filter((name) => !OWN.test(name));
}

/** Null for a name that is not among its files. */
export function fileOf(checkpoint: Checkpoint, name: string): Uint8Array | null {
  return filesOf(checkpoint).includes(name) ? new Uint8Array(readFileSync(join(checkpoint.folder, name))) : null;
}

export function archiveOf(checkpoint: Checkpoint): Uint8Array {
  const files = filesOf(checkpoint).map((name) => ({ name, data: fileOf(checkpoint, name)! }));
  return createTar([...files, { name: COMPLETE, data: new Uint8Array() }]);
}
