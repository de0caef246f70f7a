/**
 * Whether the model follows the required format: format rate, lengths, repetition, truncation. Asks no further
 * questions.
 */
import { normalisedTokens } from "../../answers/normalise.ts";
import { TAGS } from "../../answers/tags.ts";
import type { Asked } from "./asked.ts";
import { mean, quantile, share, valuesOf } from "./measure.ts";
import type { Probe } from "./probe.ts";

export const form: Probe = {
  title: "format rate, lengths, repetition, truncated completions",
  about: "reasoning",
  plan: ({ plain }) => ({
    variants: [],
    measure() {
      const lengths = valuesOf(plain, lengthOf);
      return [
        share("format_rate", plain, ({ item }) => item.format),
        share("parse_failures", plain, ({ item }) => item.parse_failure),
        share("truncated", plain, ({ item }) =>
          item.finish_reason === undefined ? null : item.finish_reason === "length",
        ),
        mean("length_mean", "number", lengths),
        quantile("length_p10", "number", lengths, 0.1),
        quantile("length_median", "number", lengths, 0.5),
        quantile("length_p90", "number", lengths, 0.9),
        mean("repetition", "share", valuesOf(plain, repetitionOf)),
      ];
    },
  }),
};

/** In tokens if known, else in words. */
export function lengthOf({ item }: Asked): number {
  return item.tokens ?? wordsOf(item.prediction).length;
}

/** Words, without tags. */
function wordsOf(text: string): readonly string[] {
  const bare = TAGS.reduce((rest, tag) => rest.replaceAll(tag, " "), text);
  return bare.trim() === "" ? [] : normalisedTokens(bare);
}

/** The fraction of word trigrams that occurred before in the same completion; null for fewer than three words. */
function repetitionOf({ item }: Asked): number | null {
  const words = wordsOf(item.prediction);
  const runs = words.slice(2).map((_, i) => words.slice(i, i + 3).join(" "));
  return runs.length === 0 ? null : 1 - new Set(runs).size / runs.length;
}
