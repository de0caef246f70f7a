/** How far two texts assert the same medical concepts: the F1 of what both say, with sides. */
import { findConcepts, type Mention } from "./find.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** Asserted concepts as "concept" or "concept@side", each once; both sides are two. */
export function assertedConcepts(mentions: readonly Mention[]): ReadonlySet<string> {
  const asserted = mentions.filter(({ assertion }) => assertion === "present");
  return new Set(asserted.flatMap(elements));
}

/** What a mention says: its concept, once for each side. */
export function elements({ concept, sides }: Pick<Mention, "concept" | "sides">): readonly string[] {
  return sides.length === 0 ? [concept] : sides.map((side) => `${concept}@${side}`);
}

/**
 * F1 in [0, 1]. A concept with a side and the same without one agree by half; left and right not at all. Two empty sets
 * have no F1: null.
 */
export function conceptF1(given: ReadonlySet<string>, wanted: ReadonlySet<string>): number | null {
  if (given.size === 0 && wanted.size === 0) return null;
  const precision = share(given, wanted);
  const recall = share(wanted, given);
  return precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall);
}

/** `conceptF1` of two texts. */
export function compareConcepts(text: string, reference: string, vocabulary: Vocabulary): number | null {
  return conceptF1(
    assertedConcepts(findConcepts(text, vocabulary)),
    assertedConcepts(findConcepts(reference, vocabulary)),
  );
}

/** How well an element is met by a set: 1 for itself, a half where one of the two leaves the side open. */
export function agreement(element: string, others: ReadonlySet<string>): number {
  if (others.has(element)) return 1;
  const [concept, side] = element.split("@") as [string, string?];
  const open =
    side === undefined ? others.has(`${concept}@left`) || others.has(`${concept}@right`) : others.has(concept);
  return open ? 0.5 : 0;
}

function share(of: ReadonlySet<string>, others: ReadonlySet<string>): number {
  let total = 0;
  for (const element of of) total += agreement(element, others);
  return of.size === 0 ? 0 : total / of.size;
}
