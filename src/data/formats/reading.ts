/** Reads rows of any known container and layout as viva's own rows, and says what it took them for. */
import { basename, dirname, resolve } from "node:path";
import { UserError } from "../../core/errors.ts";
import { didYouMean } from "../../core/suggest.ts";
import { dataUrlBytes } from "../../io/data-url.ts";
import { otherNameOf } from "../field-names.ts";
import type { GivenRow } from "../own-rows.ts";
import type { Fields } from "./container.ts";
import { containers, locateRows, rowsOf } from "./containers.ts";
import { type Layout, layouts } from "./layouts.ts";
import type { TurnChoice } from "./turns.ts";

export interface FormatOptions {
  /** Which column holds a field of viva's rows; several make a list, as of options. */
  readonly columns: Readonly<Record<string, string | readonly string[]>>;
  /** The folder that image paths count from; null is the file's own. */
  readonly images: string | null;
  readonly turns: TurnChoice;
}

/** What a path was taken for. */
export interface Reading {
  readonly container: string;
  readonly layout: string;
  /** Of the first row. */
  readonly columns: readonly string[];
  /** The rows of each split that the files' names tell; "all" where they tell none. */
  readonly splits: ReadonlyMap<string, () => AsyncGenerator<Outcome>>;
}

/** A row in viva's fields, or why it has none; `where` names the place and the format. */
export type Outcome = GivenRow | { readonly where: string; readonly problem: string };

/** Keeps an image that came as bytes, and gives the path of it. */
export type KeepImage = (bytes: Uint8Array) => string;

/** Fields that `columns` can name. */
const FIELDS = [
  ...["id", "image", "images", "question", "answer", "answer_type", "choices", "rationale", "subject", "split"],
  ...["messages", "conversations", "prompt", "completion"],
];

/** Throws UserError for a path of no known format, and for columns that are not there. */
export async function readFormat(path: string, o: FormatOptions, keep: KeepImage): Promise<Reading> {
  const wrong = Object.keys(o.columns).find((field) => !FIELDS.includes(field));
  if (wrong !== undefined) {
    throw new UserError(`columns: "${wrong}" is no field${didYouMean(wrong, FIELDS)}; fields are ${FIELDS.join(", ")}`);
  }
  const { container, splits } = locateRows(path);
  const first = await firstOf(rowsOf(container, [...splits.values()].flat()));
  if (first === null) throw new UserError(`${path} (${container.name}): there is no row in it`);
  const place = `${path} (${container.name})`;
  const named = placing(place, () => renamed(first, o.columns));
  const layout = layouts.find((each) => each.recognises(named))!;
  requireQuestion(layout, named, place);
  return {
    container: container.name,
    layout: layout.name,
    columns: Object.keys(first),
    splits: new Map(
      [...splits].map(([split, files]) => [
        split,
        () => outcomes(rowsOf(container, files), container.name, layout, o, keep),
      ]),
    ),
  };
}

async function* outcomes(
  rows: ReturnType<typeof rowsOf>,
  container: string,
  layout: Layout,
  o: FormatOptions,
  keep: KeepImage,
): AsyncGenerator<Outcome> {
  for await (const { fields, file, number, where: at } of rows) {
    const where = `${at} (${container}, ${layout.name})`;
    try {
      const questions = layout.convert(renamed(fields, o.columns), o.turns);
      for (const [i, { images, ...row }] of questions.entries()) {
        const paths = (images as readonly unknown[]).map((image) => placed(image, o.images, keep));
        const id = `${basename(file)}:${number}${questions.length > 1 ? `/${i + 1}` : ""}`;
        yield { value: { ...row, images: paths }, where, id, folder: dirname(file) };
      }
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      yield { where, problem: error.message };
    }
  }
}

/** A row's cells under the names of viva's fields; cells that hold nothing are left out. */
function renamed(fields: Fields, columns: FormatOptions["columns"]): Fields {
  const cells = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== ""));
  const taken = new Set(Object.values(columns).flat());
  const missing = [...taken].find((name) => !(name in fields));
  if (missing !== undefined) {
    const names = Object.keys(fields);
    throw new UserError(`has no column "${missing}"${didYouMean(missing, names)}; its columns are ${names.join(", ")}`);
  }
  const kept = Object.entries(cells).filter(([name]) => !taken.has(name) && !(name in columns));
  const given = Object.entries(columns).flatMap(([field, column]): [string, unknown][] => {
    const value = typeof column === "string" ? cells[column] : column.flatMap((name) => cells[name] ?? []);
    return value === undefined ? [] : [[field, listed(field, value)]];
  });
  return Object.fromEntries([...kept.map(([name, value]) => [name, listed(name, value)] as const), ...given]);
}

function placing<T>(place: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof UserError ? new UserError(`${place} ${error.message}`, { cause: error }) : error;
  }
}

/** A list of options or images that a table holds as the JSON of it. */
function listed(field: string, value: unknown): unknown {
  if (!["choices", "images"].includes(field) || typeof value !== "string" || !value.trim().startsWith("["))
    return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** A table whose columns nobody named must have a question and an answer. */
function requireQuestion(layout: Layout, fields: Fields, place: string): void {
  if (layout !== layouts.at(-1)) return;
  const lacking = ["question", "answer"].filter((field) => !(field in fields));
  if (lacking.length === 0) return;
  const names = Object.keys(fields);
  const guess = ["question", "answer", "image"].map((field) => {
    return [field, field in fields ? field : (names.find((name) => otherNameOf(field, name)) ?? "…")] as const;
  });
  const inRecipe = guess.map(([field, name]) => `${field}: ${name}`).join(", ");
  const asOption = guess.map(([field, name]) => `${field}=${name}`).join(",");
  throw new UserError(
    `${place} has no column called ${lacking.join(" or ")}: its columns are ${names.join(", ")}; say which is which, as ` +
      `columns: { ${inRecipe} } in a recipe, or for viva data import --columns ${asOption}`,
  );
}

function placed(image: unknown, folder: string | null, keep: KeepImage): string {
  if (image instanceof Uint8Array) return keep(image);
  if (typeof image === "string" && image.startsWith("data:")) return keep(dataUrlBytes(image));
  if (typeof image === "string") return folder === null ? image : resolve(folder, image);
  const { bytes = null, path = null } = (image ?? {}) as { readonly bytes?: unknown; readonly path?: unknown };
  if (bytes instanceof Uint8Array) return keep(bytes);
  if (typeof path === "string") return placed(path, folder, keep);
  throw new UserError("an image is neither a path nor the bytes of a file");
}

async function firstOf(rows: ReturnType<typeof rowsOf>): Promise<Fields | null> {
  for await (const { fields } of rows) return fields;
  return null;
}

/** Names of containers and layouts, for descriptions. */
export const formatNames = {
  containers: containers.map(({ name }) => name),
  layouts: layouts.map(({ name }) => name),
};
