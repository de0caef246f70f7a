/** "Did you mean …": looks names up in tables and suggests the nearest known name by edit distance. */
import { UserError } from "./errors.ts";

/**
 * The name, typed as a key of the table. Throws UserError otherwise: `unknown dataset "slke" (did you mean "slake"?);
 * known datasets: …`, followed by `more`.
 */
export function requireNamed<T extends object>(what: string, name: string, table: T, more = ""): keyof T & string {
  if (Object.hasOwn(table, name)) return name as keyof T & string;
  const known = Object.keys(table);
  throw new UserError(
    `unknown ${what} "${name}"${didYouMean(name, known)}; known ${what}s: ${known.join(", ")}${more}`,
  );
}

/** ` (did you mean "slake"?)` as a suffix to a wrong name; `otherwise` if no known name is near. */
export function didYouMean(name: string, known: readonly string[], otherwise = ""): string {
  const near = nearest(name, known);
  return near === null ? otherwise : ` (did you mean "${near}"?)`;
}

/** The candidate with the smallest edit distance to `name`, or null if none is within half its length (at least 2). */
export function nearest(name: string, candidates: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.ceil(name.length / 2)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein distance in UTF-16 units. */
export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(previous[j]! + 1, row[j - 1]! + 1, substitution));
    }
    previous = row;
  }
  return previous[b.length]!;
}
