/**
 * Saved weights below one folder, MODEL/KIND/NAME, each an adapter in PEFT's layout with `checkpoint.json` beside it. Paths
 * on the wire are tinker://MODEL/KIND/NAME. A folder is whole or absent.
 */
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod";
import { UserError } from "../../core/errors.ts";
import { makeFolder } from "../../core/make-folder.ts";
import { readJson, writeFileAtomic } from "../../io/files.ts";
import { requests } from "../../tinker/index.ts";

/** `weights` can be trained on; `sampler_weights` are for sampling, `external_weights` for programs elsewhere. */
export const checkpointKinds = ["weights", "sampler_weights", "external_weights"] as const;
export type CheckpointKind = (typeof checkpointKinds)[number];

const about = z.object({
  model_id: z.string(),
  kind: z.enum(checkpointKinds),
  name: z.string(),
  base_model: z.string(),
  /** Of the base's weights: an adapter fits no others. */
  base_fingerprint: z.string(),
  lora_config: requests.loraConfig,
  created: z.string(),
  expires_at: z.string().nullable(),
  user_metadata: z.record(z.string(), z.unknown()).nullable(),
  /** What its client said of the model. */
  run_metadata: z.record(z.string(), z.unknown()).nullish(),
});

export type CheckpointRecord = z.output<typeof about>;

export interface Checkpoint {
  readonly folder: string;
  readonly path: string;
  readonly record: CheckpointRecord;
}

const ABOUT = "checkpoint.json";
const PART = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export interface SaveOptions {
  readonly record: Omit<CheckpointRecord, "created">;
  readonly overwrite: boolean;
  /** Fills an empty folder. */
  readonly write: (folder: string) => Promise<void>;
}

export class Checkpoints {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Throws UserError for a name that is taken or cannot be one. */
  async save({ record, overwrite, write }: SaveOptions): Promise<Checkpoint> {
    const { model_id, kind, name } = record;
    if (!PART.test(name)) {
      throw new UserError(
        `path "${name.slice(0, 60)}": a checkpoint's name has letters, digits, dots, "_" and "-" only`,
      );
    }
    const folder = this.#folder(model_id, kind, name);
    const path = pathOf(model_id, kind, name);
    if (existsSync(folder) && !overwrite) throw new UserError(`${path} is there already: choose another name`);
    const beside = `${folder}.${randomUUID()}.tmp`;
    const whole: CheckpointRecord = { ...record, created: new Date().toISOString() };
    try {
      makeFolder(dirname(folder));
      await write(beside);
      writeFileSync(join(beside, ABOUT), aboutText(whole));
      rmSync(folder, { recursive: true, force: true });
      renameSync(beside, folder);
    } finally {
      rmSync(beside, { recursive: true, force: true });
    }
    return { folder, path, record: whole };
  }

  /** Throws UserError where there is none, or where its time is up. */
  find(path: string): Checkpoint {
    const [, model, kind, name] = /^tinker:\/\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
    const known = checkpointKinds.find((one) => one === kind);
    const found = known === undefined || !PART.test(name!) ? null : this.#read(model!, known, name!);
    if (found === null) throw new UserError(`there is no checkpoint ${path.slice(0, 200)}`);
    return found;
  }

  /** Those of a model, or all, oldest first. */
  list(modelId: string | null = null): readonly Checkpoint[] {
    const models = namesIn(this.#root).filter((name) => modelId === null || name === folderName(modelId));
    const all = models.flatMap((model) =>
      checkpointKinds.flatMap((kind) =>
        namesIn(join(this.#root, model, kind)).flatMap(
          (name) => this.#readFolder(join(this.#root, model, kind, name)) ?? [],
        ),
      ),
    );
    return all.sort((a, b) => (a.record.created < b.record.created ? -1 : 1));
  }

  /** A checkpoint lasts so many seconds from now, null: until it is removed. */
  setEnd({ folder, record }: Checkpoint, seconds: number | null): void {
    writeFileAtomic(join(folder, ABOUT), aboutText({ ...record, expires_at: endIn(seconds) }));
  }

  remove({ folder }: Checkpoint): void {
    rmSync(folder, { recursive: true, force: true });
  }

  #folder(modelId: string, kind: CheckpointKind, name: string): string {
    return join(this.#root, folderName(modelId), kind, name);
  }

  #read(modelId: string, kind: CheckpointKind, name: string): Checkpoint | null {
    return PART.test(folderName(modelId)) ? this.#readFolder(this.#folder(modelId, kind, name)) : null;
  }

  #readFolder(folder: string): Checkpoint | null {
    if (!existsSync(join(folder, ABOUT))) return null;
    const parsed = about.safeParse(readJson(join(folder, ABOUT), "checkpoint record"));
    if (!parsed.success) throw new UserError(`${join(folder, ABOUT)} is damaged: remove the checkpoint`);
    const { data: record } = parsed;
    const { model_id, kind, name, expires_at } = record;
    if (expires_at !== null && Date.parse(expires_at) < Date.now()) {
      rmSync(folder, { recursive: true, force: true });
      return null;
    }
    return { folder, path: pathOf(model_id, kind, name), record };
  }
}

/** The time in so many seconds, null for none. */
export function endIn(seconds: number | null): string | null {
  return seconds === null ? null : new Date(Date.now() + 1000 * seconds).toISOString();
}

/** Bytes of a checkpoint's files. */
export function sizeOfCheckpoint({ folder }: Checkpoint): number {
  return readdirSync(folder).reduce((total, name) => total + statSync(join(folder, name)).size, 0);
}

function aboutText(record: CheckpointRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}

function pathOf(modelId: string, kind: CheckpointKind, name: string): string {
  return `tinker://${modelId}/${kind}/${name}`;
}

/** Model ids have colons, which not every file system takes. */
function folderName(modelId: string): string {
  return modelId.replaceAll(":", ".");
}

function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).filter((name) => PART.test(name) && !name.endsWith(".tmp")) : [];
}
