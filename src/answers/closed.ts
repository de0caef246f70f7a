/** Yes or no: reads the polarity of an answer; an answer that says both, or neither, has none. */
import { clean, normalise, words } from "./normalise.ts";

export type Polarity = "yes" | "no";

/**
 * What an answer to a yes/no question says. Yes: "yes", "true", "present"; no: "no", "none", "false", "absent".
 * A negation earlier in the clause turns the adjectives ("not present", "no opacity is present": no; "not absent": yes).
 * Null when both are said ("Yes, but no effusion") or neither.
 */
export function polarity(text: string): Polarity | null {
  const cleaned = clean(text);
  const said = new Set<Polarity>();
  let negation: "no" | "not" | null = null;
  let previousEnd = 0;
  for (const { token, raw, start, end } of words(cleaned)) {
    if (/[.,;:!?\n]/.test(cleaned.slice(previousEnd, start))) negation = null;
    previousEnd = end;
    if (token === "yes") said.add("yes");
    else if (token === "no" || token === "none") said.add("no");
    else if (token === "true" || token === "present") said.add(negation === null ? "yes" : "no");
    else if (token === "false" || token === "absent") said.add(negation === "not" ? "yes" : "no");
    if (token === "no" || token === "without") negation = "no";
    else if (token === "not" || token === "never" || token === "cannot" || /n't$/i.test(raw)) negation = "not";
  }
  return said.size === 1 ? [...said][0]! : null;
}

/** The polarity of a reference that is nothing but yes or no; null for "left", "MRI", "yes, on the left". */
export function referencePolarity(reference: string): Polarity | null {
  return REFERENCES.get(normalise(reference)) ?? null;
}

const REFERENCES: ReadonlyMap<string, Polarity> = new Map([
  ["yes", "yes"],
  ["true", "yes"],
  ["present", "yes"],
  ["no", "no"],
  ["false", "no"],
  ["absent", "no"],
]);
