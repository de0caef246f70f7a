/** Files that hold rows, as other tools write them, whatever the rows say. */

/** The cells of a row by their columns: texts, numbers, bytes, lists and mappings of these. */
export type Fields = Readonly<Record<string, unknown>>;

/** A row, the file it is in, its number or line there, and its place in words: "FILE:LINE" or "FILE, row N". */
export interface FileRow {
  readonly fields: Fields;
  readonly file: string;
  readonly number: number;
  readonly where: string;
}

/** A kind of files. */
export interface Container {
  /** As messages call it: "CSV", "parquet". */
  readonly name: string;
  /** Ends of names of such files in a folder. */
  readonly extensions: readonly string[];
  /** Whether a file is one, by its first bytes and its name. */
  recognises(head: Buffer, file: string): boolean;
  /** The rows in order. Throws UserError naming the file. */
  rows(file: string): AsyncIterable<FileRow> | Iterable<FileRow>;
}

/** The row of a number, counted from 1, where lines tell nothing. */
export function fileRow(fields: Fields, file: string, number: number): FileRow {
  return { fields, file, number, where: `${file}, row ${number}` };
}
