/** Free-text answers against a reference, all after the one normalisation. */
import { clean, normalise, normalisedTokens } from "./normalise.ts";

/** The parts of a list answer ("Liver, Heart and Spleen"), normalised, without empty ones and "etc". */
export function answerItems(text: string): ReadonlySet<string> {
  const parts = clean(text).split(/,(?!\d{3}(?!\d))|[;&\n]|\band\b/i);
  return new Set(parts.map(normalise).filter((part) => part !== "" && part !== "etc"));
}

/** Same normalised text, or the same set of listed parts in any order. */
export function exactMatch(prediction: string, reference: string): boolean {
  const text = normalise(prediction);
  if (text === "") return false;
  if (text === normalise(reference)) return true;
  const given = answerItems(prediction);
  const wanted = answerItems(reference);
  return given.size > 0 && given.size === wanted.size && [...wanted].every((part) => given.has(part));
}

/** Every listed part of the reference stands in the prediction as whole words. A list of everything passes: use with care. */
export function containsReference(prediction: string, reference: string): boolean {
  const text = ` ${normalise(prediction)} `;
  const wanted = answerItems(reference);
  return wanted.size > 0 && [...wanted].every((part) => text.includes(` ${part} `));
}

/** F1 over the two bags of tokens (SQuAD), in [0, 1]; blind to order, so "left lung, right" equals "right lung, left". */
export function tokenF1(prediction: string, reference: string): number {
  const given = normalisedTokens(prediction);
  const wanted = normalisedTokens(reference);
  const left = new Map<string, number>();
  for (const token of wanted) left.set(token, (left.get(token) ?? 0) + 1);
  let common = 0;
  for (const token of given) {
    const count = left.get(token) ?? 0;
    if (count === 0) continue;
    common++;
    left.set(token, count - 1);
  }
  return common === 0 ? 0 : (2 * common) / (given.length + wanted.length);
}
