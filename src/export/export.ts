/**
 * Exports a checkpoint for other tools: PEFT's adapter, a whole model in Hugging Face layout, or both, each with a
 * model card. Written to a temporary sibling folder and renamed, so that the target folder is complete or missing.
 */

import { copyFileSync, existsSync, mkdirSync, readdirSync, realpathSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import { UserError } from "../core/errors.ts";
import { makeFolder } from "../core/make-folder.ts";
import { whileWriting } from "../core/system-errors.ts";
import { writeFileAtomic } from "../io/files.ts";
import type { NamedTensor } from "../io/safetensors.ts";
import { saveWeights } from "../io/weights.ts";
import { type AdapterConfig, openAdapter, readAdapter, writeAdapterConfig } from "../models/adapter-files.ts";
import { companionFolder, copyCompanions, isCompanion } from "../models/companions.ts";
import { type Derivation, derivationName, derived } from "../models/derivation.ts";
import { openModel } from "../models/index.ts";
import { withLora } from "../models/lora.ts";
import { linearLayers } from "../models/lora-targets.ts";
import { mergedWeights, plainWeights } from "../models/merge.ts";
import { openStoredWeights } from "../models/stored-weights.ts";
import type { Reporter } from "../runs/reporter.ts";
import { adapterOf, modelFolder, runOf } from "../session/model-folder.ts";
import type { SourceOptions } from "../session/sources.ts";
import { type BaseModel, baseModel, modelCard, type RunFacts, runFacts } from "./model-card.ts";

export type { Derivation } from "../models/derivation.ts";

export interface ExportOptions extends SourceOptions {
  readonly out: string;
  readonly what: "adapter" | "merged" | "both";
  /** Dtype of merged weights; an adapter stays float32. */
  readonly dtype: "float32" | "bfloat16";
  readonly maxShardBytes: number;
  /** A run's checkpoint of this step; default the newest. */
  readonly step?: number;
  /** The base model's name on the Hub, for the card and the adapter's configuration; default from its folder. */
  readonly baseModel?: string;
  /** What the card calls data of one's own; else its folder's name. */
  readonly dataName?: string;
  /** Replaces an earlier export. */
  readonly overwrite: boolean;
  /** Changes the matrices of merged weights, as a deployment would. */
  readonly derivation?: Derivation;
}

export interface Exported {
  readonly out: string;
  /** The exported checkpoint. */
  readonly checkpoint: string;
  readonly base: string | null;
  /** Sizes in bytes, by path relative to `out`. */
  readonly files: Readonly<Record<string, number>>;
}

/** The checkpoint to export and its origin. */
interface Source {
  readonly folder: string;
  readonly adapter: AdapterConfig | null;
  /** The base model; null if training started from random weights or nothing is known. */
  readonly base: BaseModel | null;
  readonly run: RunFacts | null;
}

/**
 * Exports a model folder, an adapter folder, a run or a run's checkpoint; throws UserError before anything is written.
 */
export async function exportCheckpoint(path: string, o: ExportOptions): Promise<Exported> {
  const folder = await modelFolder(path, o);
  const adapter = await adapterOf(folder, o);
  if (adapter === null && o.what !== "merged") {
    throw new UserError(`${folder} has a whole model and no adapter: export it with --what merged`);
  }
  const out = resolve(o.out);
  refuseOutput(out, [folder, ...(adapter === null ? [] : [adapter.base])], o.overwrite);
  const runFolder = runOf(path);
  const run = runFolder === null ? null : runFacts(runFolder, folder);
  const origin = adapter?.base ?? (run === null || run.recipe.model.init === "random" ? null : run.recipe.model.path);
  const base = origin === null ? null : baseModel(origin, o.baseModel);
  const source: Source = { folder, adapter, base, run };
  const changed = o.derivation === undefined ? null : derivationName(o.derivation);
  writeFolder(out, (draft) => {
    const parts = o.what === "both" ? (["adapter", "merged"] as const) : [o.what];
    for (const part of parts) {
      const target = parts.length === 1 ? draft : join(draft, part);
      mkdirSync(target, { recursive: true });
      if (part === "adapter") writeAdapterPart(target, source);
      else writeMergedPart(target, source, o);
      writeFileAtomic(
        join(target, "README.md"),
        modelCard({ ...source, what: part, name: basename(out), dataName: o.dataName ?? null, derivation: changed }),
      );
    }
  });
  return { out, checkpoint: folder, base: base?.name ?? origin, files: sizesBelow(out) };
}

/** Copies the adapter, validated against its model, with a base model name that others can resolve. */
function writeAdapterPart(target: string, { folder, adapter, base }: Source): void {
  const adapted = withLora(openModel(adapter!.base), adapter!);
  readAdapter(adapted, folder); // every number is looked at, though the file is copied as it is
  copyFileSync(join(folder, "adapter_model.safetensors"), join(target, "adapter_model.safetensors"));
  writeAdapterConfig(adapted, target, { ...adapter!, base: base?.hubName ?? resolve(adapter!.base) });
  copyCompanions(companionFolder(folder, adapter!.base), target);
}

/** Writes the whole model, one weight in memory at a time, with the weights' dtype in its configuration. */
function writeMergedPart(target: string, { folder, adapter }: Source, o: ExportOptions): void {
  const modelOf = adapter?.base ?? folder;
  const model = openModel(modelOf);
  const { derivation } = o;
  const matrices = new Set(derivation === undefined ? [] : linearLayers(model).map((layer) => `${layer}.weight`));
  const save = (merged: readonly NamedTensor[]) => {
    const written = merged.map((tensor) => (matrices.has(tensor.name) ? derived(tensor, derivation!) : tensor));
    const tensors = o.reporter === undefined ? written : counted(written, o.reporter);
    const dtype = o.dtype === "bfloat16" ? "BF16" : "F32";
    saveWeights(target, tensors, { dtype, maxShardBytes: o.maxShardBytes });
  };
  const weights = openStoredWeights(model, modelOf);
  try {
    if (adapter === null) save(plainWeights(model, weights));
    else {
      const adapted = withLora(model, adapter);
      const reader = openAdapter(adapted, folder);
      try {
        save(mergedWeights(model, weights, adapted, reader));
      } finally {
        reader.close();
      }
    }
  } finally {
    weights.close();
  }
  writeFileAtomic(join(target, "config.json"), `${JSON.stringify(withDtype(model.config, o.dtype), null, 2)}\n`);
  copyCompanions(companionFolder(folder, modelOf), target);
}

/** Tensors that tell as they are read, which is when they are merged and written. */
function counted(tensors: readonly NamedTensor[], reporter: Reporter): readonly NamedTensor[] {
  return tensors.map((tensor, done) => ({
    name: tensor.name,
    shape: tensor.shape,
    get data() {
      reporter.progress({ what: "writing weights", done: done + 1, total: tensors.length });
      return tensor.data;
    },
  }));
}

/** transformers loads weights in the dtype that config.json names: under "dtype" (5) or "torch_dtype" (4), at each level. */
export function withDtype(config: Readonly<Record<string, unknown>>, dtype: string): Record<string, unknown> {
  const set = (level: Readonly<Record<string, unknown>>) => {
    const present = ["dtype", "torch_dtype"].filter((key) => Object.hasOwn(level, key));
    return { ...level, ...Object.fromEntries(present.map((key) => [key, dtype])) };
  };
  const parts = Object.entries(config).map(([key, value]) => {
    return [key, key.endsWith("_config") && value !== null ? set(value as Record<string, unknown>) : value] as const;
  });
  return { ...set(Object.fromEntries(parts)), torch_dtype: dtype };
}

/** Nothing is overwritten but an earlier export, and that only when told; sources are never touched. */
function refuseOutput(out: string, sources: readonly string[], overwrite: boolean): void {
  const clash = sources
    .map((folder) => realpathSync(folder))
    .find((folder) => within(folder, out) || within(out, folder));
  if (clash !== undefined)
    throw new UserError(`--out ${out}: ${clash} is a source of the export; choose another folder`);
  if (!existsSync(out)) return;
  if (!statSync(out).isDirectory()) throw new UserError(`--out ${out} is a file; choose a folder`);
  const files = readdirSync(out);
  if (files.length === 0) return;
  if (!overwrite)
    throw new UserError(`--out ${out}: the folder is not empty; choose another, or replace it with --overwrite`);
  const foreign = files.find((file) => !isExported(file));
  if (foreign !== undefined) {
    throw new UserError(
      `--out ${out}: --overwrite replaces exports only, and ${foreign} is not part of one; choose another folder`,
    );
  }
}

function within(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(outer + sep);
}

function isExported(file: string): boolean {
  return (
    isCompanion(file) ||
    /^(README\.md|config\.json|adapter_config\.json|adapter|merged)$|\.safetensors(\.index\.json)?$/.test(file)
  );
}

/** Writes a folder beside and renames it: `out` is whole, or as it was. */
export function writeFolder(out: string, write: (draft: string) => void): void {
  const draft = join(dirname(out), `.${basename(out)}.${process.pid}.tmp`);
  rmSync(draft, { recursive: true, force: true });
  whileWriting(out, () => makeFolder(draft));
  try {
    write(draft);
    replaceFolder(draft, out);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function replaceFolder(draft: string, out: string): void {
  const former = existsSync(out) ? `${draft}.former` : null;
  if (former !== null) renameSync(out, former);
  renameSync(draft, out);
  if (former !== null) rmSync(former, { recursive: true });
}

function sizesBelow(folder: string): Record<string, number> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Object.fromEntries(
    paths.map((path) => [
      path
        .slice(folder.length + 1)
        .split(sep)
        .join("/"),
      statSync(path).size,
    ]),
  );
}
