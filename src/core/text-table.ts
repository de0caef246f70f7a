/** Text in aligned columns for a terminal. */

/**
 * Rows of cells as lines, columns two blanks apart and each as wide as its widest cell; the first row may be a head. The
 * first `left` columns are aligned to the left, the others to the right; by default all to the left.
 */
export function alignColumns(rows: readonly (readonly string[])[], left = Number.POSITIVE_INFINITY): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const pad = (cell: string, i: number) => (i < left ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!));
  return rows.map((row) => row.map(pad).join("  ").trimEnd());
}
