/** A checkpoint as a tar archive of an adapter in PEFT's layout, as clients of the Tinker API download it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createTar } from "nanotar";
import type { Checkpoint } from "./checkpoints.ts";

/** What is for resuming, not for loading the adapter. */
const OWN = /^(optimizer\.safetensors|engine\.json|reference\.safetensors)$/;
/** The SDK's command line takes an archive for whole that holds this file. */
const COMPLETE = "checkpoint_complete";

export function archiveOf({ folder }: Checkpoint): Uint8Array {
  const names = readdirSync(folder).filter((name) => !OWN.test(name));
  const files = names.map((name) => ({ name, data: new Uint8Array(readFileSync(join(folder, name))) }));
  return createTar([...files, { name: COMPLETE, data: new Uint8Array() }]);
}
