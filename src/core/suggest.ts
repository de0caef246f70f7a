/** "Did you mean …": names looked up in tables, and the known name nearest to a mistyped one, by edit distance. */
import { UserError } from "./errors.ts";

/**
 * The name as one of the table's. Otherwise a UserError, `unknown dataset "slke" (did you mean "slake"?); known datasets: …`;
 * `more` goes on from there.
 */
export function requireNamed<T extends object>(what: string, name: string, table: T, more = ""): keyof T & string {
  if (Object.hasOwn(table, name)) return name as keyof T & string;
  const known = Object.keys(table);
  throw new UserError(
    `unknown ${what} "${name}"${didYouMean(name, known)}; known ${what}s: ${known.join(", ")}${more}`,
  );
}

/** ` (did you mean "slake"?)` to go on with after a wrong name; `otherwise` where no known name is near. */
export function didYouMean(name: string, known: readonly string[], otherwise = ""): string {
  const near = nearest(name, known);
  return near === null ? otherwise : ` (did you mean "${near}"?)`;
}

/** The candidate with the smallest edit distance to `name`, or null when none is within half its length (at least 2). */
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
