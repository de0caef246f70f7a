/** Arrow files, and the folders of them that `datasets.save_to_disk` writes: a split each, and what their columns mean. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod";
import { messageOf, UserError } from "../../core/errors.ts";
import { fileError, readJson } from "../../io/files.ts";
import { splitName } from "../dataset.ts";
import { readRow } from "../rows.ts";
import { type Container, type Fields, type FileRow, fileRow } from "./container.ts";

export const arrow: Container = {
  name: "Arrow",
  extensions: [".arrow"],
  recognises: (head) => /^(?:ARROW1|\xff\xff\xff\xff)/.test(head.toString("latin1", 0, 6)),
  async *rows(file): AsyncGenerator<FileRow> {
    const { tableFromIPC } = await import("@uwdata/flechette");
    const bytes = readBytes(file);
    let table: ReturnType<typeof tableFromIPC>;
    try {
      table = tableFromIPC(bytes);
    } catch (error) {
      const reason = messageOf(error).replace(/\s+/g, " ").slice(0, 200);
      throw new UserError(`${file} is not an Arrow file that can be read: ${reason}`, { cause: error });
    }
    const labels = labelNames(join(dirname(file), "dataset_info.json"));
    for (let i = 0; i < table.numRows; i++) {
      const row = table.get(i) as Fields;
      const cells = Object.entries(row).map(([name, value]) => [name, labelled(plain(value), labels.get(name))]);
      yield fileRow(Object.fromEntries(cells), file, i + 1);
    }
  },
};

const dictSchema = z.looseObject({ splits: z.array(z.string().regex(/^[\w-]+$/)) });
const stateSchema = z.looseObject({ _data_files: z.array(z.looseObject({ filename: z.string().regex(/^[\w.-]+$/) })) });

/** The files of each split of a folder that `save_to_disk` wrote; null for any other folder. */
export function savedSplits(folder: string): ReadonlyMap<string, readonly string[]> | null {
  const dict = join(folder, "dataset_dict.json");
  if (existsSync(dict)) {
    const { splits } = readRow(dictSchema, readJson(dict, "list of splits"), dict);
    return new Map(splits.map((split) => [splitName(split), filesOf(join(folder, split))]));
  }
  return existsSync(join(folder, "state.json")) ? new Map([["all", filesOf(folder)]]) : null;
}

function filesOf(folder: string): readonly string[] {
  const state = join(folder, "state.json");
  const { _data_files: files } = readRow(stateSchema, readJson(state, "list of data files"), state);
  return files.map(({ filename }) => join(folder, filename));
}

const infoSchema = z.looseObject({ features: z.record(z.string(), z.unknown()).nullish() });
const labelSchema = z.looseObject({ _type: z.literal("ClassLabel"), names: z.array(z.string()) });

/** The names of classes by column, where a column holds their numbers. */
function labelNames(info: string): ReadonlyMap<string, readonly string[]> {
  if (!existsSync(info)) return new Map();
  const { features } = readRow(infoSchema, readJson(info, "description of columns"), info);
  return new Map(
    Object.entries(features ?? {}).flatMap(([name, feature]) => {
      const label = labelSchema.safeParse(feature);
      return label.success ? [[name, label.data.names] as const] : [];
    }),
  );
}

function labelled(value: unknown, names: readonly string[] | undefined): unknown {
  return names !== undefined && typeof value === "number" ? (names[value] ?? null) : value;
}

/** Whole numbers as numbers (beyond 2^53 as texts), lists as lists, bytes as bytes. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return Array.from(value as ArrayLike<unknown>, plain);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

function readBytes(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw fileError(file, "Arrow file", error);
  }
}
