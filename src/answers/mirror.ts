/** Left and right in texts: which of them a text names, and the text with the two exchanged. */
import type { Side } from "./concepts/sides.ts";

/** The words "left" and "right", also in "leftward", "right-sided", "leftmost"; not in "bright". */
const SIDE = /\b(left|right)(?=(?:wards?|sided|most)?\b)/gi;

/** The sides a text names. */
export function namedSides(text: string): ReadonlySet<Side> {
  return new Set(Array.from(text.matchAll(SIDE), ([word]) => word.toLowerCase() as Side));
}

/** The text as it would be of the mirrored image; twice gives it back. */
export function swapSides(text: string): string {
  return text.replace(SIDE, (word) => {
    const other = word.toLowerCase() === "left" ? "right" : "left";
    if (word === word.toUpperCase()) return other.toUpperCase();
    return word[0] === word[0]!.toUpperCase() ? other[0]!.toUpperCase() + other.slice(1) : other;
  });
}
