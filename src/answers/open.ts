/** Free-text answers against a reference, all after the one normalisation. */
import { readings } from "./negation.ts";
import { clean, isArticle, normalise, normalisedTokens, type Word, withSignsSpelled, words } from "./normalise.ts";

/** The parts of a list answer ("Liver, Heart and Spleen"), normalised, without empty ones and "etc". */
export function answerItems(text: string): ReadonlySet<string> {
  const cleaned = clean(text);
  const inNumbers = new Set<number>();
  for (const { raw, start } of words(cleaned)) {
    for (let i = raw.indexOf(","); i >= 0; i = raw.indexOf(",", i + 1)) inNumbers.add(start + i);
  }
  const parts: string[] = [];
  let from = 0;
  for (const { 0: separator, index } of cleaned.matchAll(/[,、;&\n]|\band\b/gi)) {
    if (inNumbers.has(index)) continue;
    parts.push(cleaned.slice(from, index));
    from = index + separator.length;
  }
  parts.push(cleaned.slice(from));
  return new Set(parts.map(normalise).filter((part) => part !== "" && part !== "etc"));
}

/** Same normalised text, signs in words or not ("HER2+", "HER2-positive"), or the same set of listed parts in any order. */
export function exactMatch(prediction: string, reference: string): boolean {
  const text = normalise(prediction);
  if (text === "") return false;
  const wanted = normalise(reference);
  if (text === wanted || withSignsSpelled(text) === withSignsSpelled(wanted)) return true;
  const given = answerItems(prediction);
  const items = answerItems(reference);
  return given.size > 0 && given.size === items.size && [...items].every((part) => given.has(part));
}

/**
 * Every listed part of the reference stands in the prediction as whole words that are not denied or in doubt. A list of
 * everything passes: use with care.
 */
export function containsReference(prediction: string, reference: string): boolean {
  const cleaned = clean(prediction);
  const all = words(cleaned);
  const content = all.filter((word, i) => !isArticle(word.token, i === all.length - 1));
  const parts = [...answerItems(reference)].map((part) => part.split(" "));
  return parts.length > 0 && parts.every((part) => affirms(cleaned, all, content, part));
}

/** Words of the part itself are no negations of it: "no fracture" stands in "there is no fracture". */
function affirms(cleaned: string, all: readonly Word[], content: readonly Word[], part: readonly string[]): boolean {
  const runs = content.flatMap((_, i) => {
    const run = content.slice(i, i + part.length);
    return run.length === part.length && run.every(({ token }, j) => token === part[j]) ? [run] : [];
  });
  if (runs.length === 0) return false;
  const read = readings(cleaned, all, new Set(runs.flat()));
  const stands = new Set(all.filter((_, i) => /affirmed|possible/.test(read[i]!.assertion)));
  return runs.some((run) => run.every((word) => stands.has(word)));
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
