/** The attachments that are trained beside an engine's weights: saved, restored and dropped with its training state. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Attached, attach, loadAttached, saveAttached } from "../attached.ts";
import type { TrainingEngine } from "../engine.ts";

const FILE = "attachments.safetensors";

export interface Attachments {
  readonly attach: NonNullable<TrainingEngine["attach"]>;
  save(folder: string): void;
  /** What `attach` opens next begins as it was saved there. */
  load(folder: string): void;
  clear(): Promise<void>;
}

export function openAttachments(o: { readonly seed: number; readonly threads: number }): Attachments {
  const open = new Map<string, Attached>();
  let saved: string | null = null;
  return {
    async attach(name, config) {
      const known = open.get(name);
      if (known !== undefined) return known;
      const made = await attach(name, config, o);
      if (saved !== null) loadAttached(saved, { [name]: made });
      open.set(name, made);
      return made;
    },
    save(folder) {
      if (open.size > 0) saveAttached(join(folder, FILE), Object.fromEntries(open), { training: true });
    },
    load(folder) {
      const file = join(folder, FILE);
      saved = existsSync(file) ? file : null;
    },
    async clear() {
      saved = null;
      for (const one of open.values()) await one.close();
      open.clear();
    },
  };
}
