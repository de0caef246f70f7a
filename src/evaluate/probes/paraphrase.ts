/** Sensitivity to wording: the same question rephrased by fixed rules that keep its meaning. */

import { compare, keyOf, pairsOf, share } from "./measure.ts";
import { paraphrase as reword } from "./paraphrases.ts";
import type { Probe } from "./probe.ts";

export const paraphrase: Probe = {
  title: "the same question in other words (those with a rule)",
  about: "bias",
  plan({ examples, plain }) {
    const rows = examples.flatMap(({ question }, i) => (reword(question) === null ? [] : [i]));
    if (rows.length === 0) return "no question fits a rule for paraphrases";
    const change = (example: (typeof examples)[number]) => ({ ...example, question: reword(example.question)! });
    return {
      variants: [{ name: "paraphrase", rows, change }],
      measure: ([asked]) => [
        share("has_rule", plain, ({ example }) => reword(example.question) !== null),
        ...compare(plain, asked!).filter(({ name }) => name !== "flip_rate"),
        share("consistent", pairsOf(plain, asked!), (pair) => keyOf(pair) === keyOf(pair.before)),
      ],
    };
  },
};
