/** Text in aligned columns for a terminal. */

/**
 * Formats rows of cells as lines, with columns two blanks apart and each as wide as its widest cell; the first row can
 * be a header. The first `left` columns are left-aligned, the others right-aligned; by default all are left-aligned.
 */
export function alignColumns(rows: readonly (readonly string[])[], left = Number.POSITIVE_INFINITY): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const pad = (cell: string, i: number) => (i < left ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!));
  return rows.map((row) => row.map(pad).join("  ").trimEnd());
}
