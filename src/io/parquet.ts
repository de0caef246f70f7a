/** Rows of a parquet file, one row group after the other and only the columns asked for, so that a file need not fit memory. */
import { type FileHandle, open } from "node:fs/promises";
import type { AsyncBuffer, FileMetaData } from "hyparquet";
import { messageOf, UserError } from "../core/errors.ts";
import { didYouMean } from "../core/suggest.ts";
import { fileError } from "./files.ts";

/** A cell: whole numbers as numbers (beyond 2^53 as texts), times as ISO texts, binary as bytes, groups as objects. */
export type ParquetValue =
  | string
  | number
  | boolean
  | null
  | Uint8Array
  | readonly ParquetValue[]
  | { readonly [field: string]: ParquetValue };

export type ParquetRow = Readonly<Record<string, ParquetValue>>;

/** An open parquet file; an image column of the Hub is an object { bytes, path }. */
export interface ParquetFile {
  readonly path: string;
  readonly columns: readonly string[];
  readonly rowCount: number;
  /** Rows in file order; reads one row group at a time. Unknown columns are a UserError. */
  rows(columns?: readonly string[]): AsyncGenerator<ParquetRow>;
  close(): Promise<void>;
}

/** A footer of a real file is a few megabytes at most. */
const MAX_FOOTER_BYTES = 100_000_000;

/** Opens a file and reads its footer. Throws UserError naming the file. */
export async function openParquet(path: string): Promise<ParquetFile> {
  const { parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import("hyparquet");
  const { compressors } = await import("hyparquet-compressors");
  const handle = await open(path, "r").catch((error: unknown) => {
    throw fileError(path, "parquet file", error);
  });
  try {
    const file = await rangesOf(handle, path);
    const metadata = await checked(path, async () => {
      await checkFooter(file);
      return parquetMetadataAsync(file);
    });
    const columns = parquetSchema(metadata).children.map(({ element }) => element.name);
    return {
      path,
      columns,
      rowCount: Number(metadata.num_rows),
      async *rows(wanted = columns) {
        for (const name of wanted) requireColumn(path, name, columns);
        for (const [rowStart, rowEnd] of rowGroups(metadata)) {
          const options = { file, metadata, compressors, columns: [...wanted], rowStart, rowEnd, utf8: false };
          const rows = await checked(path, () => parquetReadObjects(options));
          for (const row of rows) yield plain(row) as ParquetRow;
        }
      },
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function rangesOf(handle: FileHandle, path: string): Promise<AsyncBuffer> {
  const stat = await handle.stat();
  if (!stat.isFile()) throw new UserError(`cannot read parquet file ${path}: it is not a file`);
  return {
    byteLength: stat.size,
    async slice(start, end = stat.size) {
      if (start < 0 || end < start || end > stat.size) throw new Error(`bytes ${start} to ${end} lie outside the file`);
      const bytes = new Uint8Array(end - start);
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, start);
      if (bytesRead !== bytes.length) throw new Error("the file ended while it was read");
      return bytes.buffer;
    },
  };
}

/** The last eight bytes: the footer's length, then "PAR1". */
async function checkFooter(file: AsyncBuffer): Promise<void> {
  if (file.byteLength < 12) throw new Error(`it has ${file.byteLength} bytes, too few for a footer`);
  const end = Buffer.from(await file.slice(file.byteLength - 8, file.byteLength));
  if (end.toString("latin1", 4) !== "PAR1") throw new Error("it does not end as one; is the download complete?");
  const length = end.readUInt32LE(0);
  if (length > file.byteLength - 12 || length > MAX_FOOTER_BYTES) throw new Error(`its footer claims ${length} bytes`);
}

/** First row and the row after the last of every row group. */
function rowGroups(metadata: FileMetaData): readonly (readonly [number, number])[] {
  let end = 0;
  return metadata.row_groups.map(({ num_rows }) => {
    const start = end;
    end += Number(num_rows);
    return [start, end] as const;
  });
}

function requireColumn(path: string, name: string, columns: readonly string[]): void {
  if (columns.includes(name)) return;
  const hint = didYouMean(name, columns);
  throw new UserError(`${path} has no column "${name}"${hint}; its columns are ${columns.join(", ")}`);
}

/** The library's faults are the file's: whatever it throws becomes one sentence. */
async function checked<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const reason = messageOf(error).replace(/\s+/g, " ").slice(0, 200);
    throw new UserError(`${path} is not a parquet file that can be read: ${reason}`, { cause: error });
  }
}

function plain(value: unknown): ParquetValue {
  if (value === null || value === undefined) return null;
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Uint8Array) return value;
  if (value instanceof Date) return Number.isNaN(value.valueOf()) ? null : value.toISOString();
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return Array.from(value as ArrayLike<unknown>, plain);
  if (typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  }
  return value as string | number | boolean;
}
