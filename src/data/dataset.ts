/** What a dataset is, and what all of them need: reading files with errors that say what to do, splits, subsets. */
import { readdir, stat } from "node:fs/promises";
import * as z from "zod";
import { MissingSplit, UserError } from "../core/errors.ts";
import { permutation, randomKey } from "../core/random.ts";
import type { Example } from "../core/records.ts";
import { didYouMean } from "../core/suggest.ts";
import type { DataNotice } from "./notices.ts";

export interface LoadOptions {
  /** Folder or file; generated sets need none. */
  readonly path?: string;
  /** "train" by default; "validate", "valid", "val" and "dev" mean "validation". */
  readonly split?: string;
  /** At most this many examples: the first ones, or with a seed a random subset in file order. */
  readonly limit?: number;
  /** For the subset; for a generated set the seed of the generator. */
  readonly seed?: number;
  /** The data set's own options, by their names in recipes. */
  readonly own?: Readonly<Record<string, unknown>>;
  /** Told of what was left out. */
  readonly onNotice?: (notice: DataNotice) => void;
}

export interface Dataset {
  readonly name: string;
  readonly description: string;
  readonly licence: string;
  /** Its name on the Hugging Face Hub, where it is there. */
  readonly hubName?: string;
  /** What is on the Hub under this name holds what `load` reads. */
  readonly downloadable?: true;
  /** How a user gets the data. */
  readonly obtain: string;
  /**
   * The user's own: its name and licence are the user's to give, and its splits are the user's doing, so what they share is
   * a mistake and not a known flaw.
   */
  readonly isOwn?: true;
  /** Made when asked for: needs no path. */
  readonly generated?: true;
  /** Whether loading runs a module of the user's own; `own` are the data set's own options. */
  readonly runsModule?: (own: LoadOptions["own"]) => boolean;
  /** Its own options, each with a default: keys of a recipe's data set beside those that all sets have. */
  readonly options?: z.ZodRawShape;
  /** The split's examples, `meta.split` set; throws UserError for a path, split or row that is wrong. */
  load(options: LoadOptions): Promise<readonly Example[]>;
}

/** Examples that are generated for one split, at most (ours): more would take minutes and gigabytes before the first step. */
const MOST_GENERATED = 100_000;

/** Throws UserError where a generated set is asked for more examples than it makes. */
export function requireGenerable(name: string, limit: number | undefined): void {
  if (limit === undefined || limit <= MOST_GENERATED) return;
  throw new UserError(
    `dataset "${name}": limit must be at most ${MOST_GENERATED}, for all are generated before the first step, got ${limit}`,
  );
}

/** A data set with options of its own, which reach `load` checked; throws UserError for one that is wrong or unknown. */
export function withOptions<Options extends z.ZodRawShape>(
  options: Options,
  {
    load,
    ...about
  }: Omit<Dataset, "options" | "load"> & {
    load(o: LoadOptions, own: z.output<z.ZodObject<Options>>): Promise<readonly Example[]>;
  },
): Dataset {
  return { ...about, options, load: async (o) => load(o, readOwn(about.name, options, o.own)) };
}

/** Options of a data set's own, checked, with defaults. */
export function readOwn<Options extends z.ZodRawShape>(
  name: string,
  options: Options,
  given: LoadOptions["own"] = {},
): z.output<z.ZodObject<Options>> {
  const unknown = Object.keys(given).find((key) => !Object.hasOwn(options, key));
  if (unknown !== undefined) {
    const known = Object.keys(options);
    const rest = known.length === 0 ? "it has none of its own" : `its own are ${known.join(", ")}`;
    throw new UserError(`dataset "${name}": unknown option "${unknown}"${didYouMean(unknown, known)}; ${rest}`);
  }
  const checked = z.object(options).safeParse(given);
  if (checked.success) return checked.data;
  const { path, message } = checked.error.issues[0]!;
  const key = path.map(String).join(".");
  throw new UserError(`dataset "${name}": ${key} must be ${message}, got ${JSON.stringify(given[key])}`);
}

/** The canonical name of a split. */
export function splitName(split: string | undefined): string {
  const name = split ?? "train";
  return ["validate", "valid", "val", "dev"].includes(name) ? "validation" : name;
}

/** The path, which must exist; otherwise a UserError that says how to get the data. */
export async function requirePath(dataset: Dataset, path: string | undefined): Promise<string> {
  if (path === undefined) {
    throw new UserError(`dataset "${dataset.name}" needs a path. To get the data: ${dataset.obtain}`);
  }
  if (!(await exists(path))) {
    throw new UserError(`dataset "${dataset.name}": ${path} does not exist. To get the data: ${dataset.obtain}`);
  }
  return path;
}

/** The file of a split, by a table of file names; a UserError lists the splits whose files exist. */
export async function splitFile(
  dataset: Dataset,
  folder: string,
  split: string,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const present = await readdir(folder).catch(() => [] as string[]);
  const existing = Object.keys(files).filter((name) => present.includes(files[name]!));
  if (existing.includes(split)) return files[split]!;
  const known =
    existing.length > 0
      ? `the splits there are ${existing.join(", ")}`
      : `none of ${Object.values(files).join(", ")} is there. To get the data: ${dataset.obtain}`;
  throw new MissingSplit(`dataset "${dataset.name}": no split "${split}" in ${folder}; ${known}`);
}

/** The subset that `limit` and `seed` ask for, in the order given. */
export function subset<T>(items: readonly T[], { limit, seed }: LoadOptions): readonly T[] {
  if (limit === undefined || limit >= items.length) return items;
  if (seed === undefined) return items.slice(0, limit);
  const chosen = permutation(randomKey(seed, "subset"), items.length).slice(0, limit).sort();
  return Array.from(chosen, (i) => items[i]!);
}

/** Whether a path exists. */
export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}
