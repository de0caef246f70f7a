/** Data sets as parquet files of the Hub: which files make a split, and their rows with images as files. */
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { MissingSplit } from "../core/errors.ts";
import type { ImageRef } from "../core/records.ts";
import { cachedImage } from "../io/image-cache.ts";
import { openParquet } from "../io/parquet.ts";
import { splitName } from "./dataset.ts";
import { readRow } from "./rows.ts";
import { requireAllShards } from "./shards.ts";

/** The parquet files of each split ("train-00000-of-00007-….parquet") in a folder or its `data/`, in order. */
export async function parquetSplits(folder: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const splits = new Map<string, string[]>();
  for (const place of [folder, join(folder, "data")]) {
    const names = await readdir(place).catch(() => [] as string[]);
    for (const name of names.sort()) {
      const split = /^([a-z_]+)-\d+-of-\d+.*\.parquet$/.exec(name)?.[1];
      if (split === undefined) continue;
      const files = splits.get(splitName(split)) ?? [];
      splits.set(splitName(split), [...files, join(place, name)]);
    }
  }
  return splits;
}

/** The rows of files, checked; `where` names file and row. */
export async function readParquetRows<T>(
  files: readonly string[],
  schema: z.ZodType<T>,
  columns?: readonly string[],
): Promise<readonly { readonly row: T; readonly where: string }[]> {
  const rows: { readonly row: T; readonly where: string }[] = [];
  for (const path of files) {
    const file = await openParquet(path);
    try {
      let number = 0;
      for await (const row of file.rows(columns)) {
        const where = `${basename(path)}, row ${++number}`;
        rows.push({ row: readRow(schema, row, `${path}, row ${number}`), where });
      }
    } finally {
      await file.close();
    }
  }
  return rows;
}

/** An image column of the Hub: the file's bytes, and the name it had. Kept as a file in the image cache. */
export const imageCell = z
  .object({ bytes: z.instanceof(Uint8Array), path: z.string().nullish() })
  .transform(({ bytes }) => cachedImage(bytes));

/** As an example names it. */
export function imageRef({ path }: { readonly path: string }): ImageRef {
  return { path };
}

/** The files of a split, each of its "-of-N" once; a UserError names the splits that are there, or the files at fault. */
export function requireSplit(
  name: string,
  folder: string,
  split: string,
  splits: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const files = splits.get(split);
  if (files !== undefined) {
    requireAllShards(`dataset "${name}": the split "${split}" in ${folder}`, files);
    return files;
  }
  throw new MissingSplit(
    `dataset "${name}": no split "${split}" in ${folder}; the splits there are ${[...splits.keys()].join(", ")}`,
  );
}
