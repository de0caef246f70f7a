/** Files of other tools as viva's own JSONL, and what was understood of them on the way. */
import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { UserError } from "../core/errors.ts";
import { imageFile } from "../core/image-names.ts";
import { blankedImage } from "../io/blanked-image.ts";
import { sha256, writeFileAtomic } from "../io/files.ts";
import { imageExtension } from "../io/images.ts";
import { splitName } from "./dataset.ts";
import type { Fields } from "./formats/container.ts";
import { type FormatOptions, type KeepImage, type Outcome, readFormat } from "./formats/reading.ts";
import { type GivenRow, toExample } from "./own-rows.ts";

/** What became of the rows of a split. */
export interface ImportedSplit {
  readonly split: string;
  /** As JSONL has them, image paths relative to its folder. */
  readonly rows: readonly Fields[];
  /** Different images. */
  readonly images: number;
  readonly leftOut: readonly LeftOut[];
}

/** Rows that are no questions, by the reason. */
export interface LeftOut {
  readonly reason: string;
  readonly count: number;
  /** Places of the first. */
  readonly first: readonly string[];
}

/** What a path was taken for. */
export interface Imported {
  readonly container: string;
  readonly layout: string;
  readonly columns: readonly string[];
  readonly splits: readonly ImportedSplit[];
}

/** Places told of rows left out for one reason. */
const FIRST = 3;

/**
 * Reads all rows; with a folder, images that came as bytes are written to its `images/`. A row that is no question is left
 * out and told. Throws UserError for a path that cannot be read at all.
 */
export async function importRows(
  path: string,
  o: FormatOptions & { readonly folder: string | null; readonly split: string },
  onRow: (done: number) => void = () => {},
): Promise<Imported> {
  const folder = resolve(o.folder ?? ".");
  const made = new Set<string>();
  const { splits, ...about } = await readFormat(path, o, keeper(o.folder, made));
  const found = new Map<string, Collected>();
  const ids = new Set<string>();
  let done = 0;
  for (const [named, outcomes] of splits) {
    for await (const outcome of outcomes()) {
      onRow(done++);
      const { split, row, images, problem, place } = judge(outcome, named, { otherwise: o.split, folder, ids, made });
      const own: Collected = found.get(split) ?? { rows: [], images: new Set(), leftOut: new Map() };
      found.set(split, own);
      if (problem === null) own.rows.push(row);
      else own.leftOut.set(problem, [...(own.leftOut.get(problem) ?? []), place]);
      for (const image of images) own.images.add(image);
    }
  }
  return {
    ...about,
    splits: [...found].map(([split, { rows, images, leftOut }]) => ({
      split,
      rows,
      images: images.size,
      leftOut: [...leftOut].map(([reason, places]) => ({
        reason,
        count: places.length,
        first: places.slice(0, FIRST),
      })),
    })),
  };
}

interface Collected {
  readonly rows: Fields[];
  readonly images: Set<string>;
  readonly leftOut: Map<string, string[]>;
}

interface Judged {
  readonly split: string;
  readonly row: Fields;
  readonly images: readonly string[];
  readonly problem: string | null;
  /** Where the row stands, and the image that is missing. */
  readonly place: string;
}

interface Judging {
  /** The split of rows that name none. */
  readonly otherwise: string;
  readonly folder: string;
  /** Splits and ids so far. */
  readonly ids: Set<string>;
  /** Images that came as bytes. */
  readonly made: ReadonlySet<string>;
}

/** A row as JSONL has it, or why it is none. */
function judge(outcome: Outcome, named: string, { otherwise, folder, ...known }: Judging): Judged {
  const unnamed = splitName(named === "all" ? otherwise : named);
  if ("problem" in outcome)
    return { split: unnamed, row: {}, images: [], problem: outcome.problem, place: outcome.where };
  const { value } = outcome;
  const { split: own, ...fields } = value as Fields;
  const split = typeof own === "string" ? splitName(own) : unnamed;
  const paths = (fields["images"] as readonly string[]).map((image) => resolve(outcome.folder, image));
  const missing = paths.find((path) => !known.made.has(path) && !existsSync(imageFile(path).file));
  const problem = problemOf(outcome, split, missing !== undefined, known.ids);
  const place = problem === MISSING ? `${outcome.where}: ${missing}` : outcome.where;
  const images = paths.map((image) => relative(folder, image));
  const { images: _, id = outcome.id, ...rest } = fields;
  const row = { id, ...(images.length === 1 ? { image: images[0] } : { images }), ...rest };
  return { split, row, images: problem === null ? paths : [], problem, place };
}

const MISSING = "its image file is not there: images names the folder that image paths count from";

function problemOf(row: GivenRow, split: string, isMissing: boolean, ids: Set<string>): string | null {
  try {
    const { example } = toExample(row);
    const id = `${split} ${example.id}`;
    if (ids.has(id)) return "the id stands twice";
    if (isMissing) return MISSING;
    ids.add(id);
    return null;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.message.startsWith(row.where) ? error.message.slice(row.where.length + 2) : error.message;
  }
}

/** Keeps images of bytes beside the rows; without a folder nothing is written, and the names alone are made. */
function keeper(folder: string | null, made: Set<string>): KeepImage {
  return (bytes) => {
    const name = join("images", `${sha256(bytes).slice(0, 32)}${imageExtension(bytes)}`);
    const path = resolve(folder ?? ".", name);
    if (folder !== null && !existsSync(path)) writeFileAtomic(path, blankedImage(bytes));
    made.add(path);
    return path;
  };
}
