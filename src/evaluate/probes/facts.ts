/**
 * Whether the reasoning is true of the image: checks its claims against the known facts. Generated data only; asks no
 * further questions.
 */
import { checkClaims, type FactScore, scoreFacts } from "../../answers/claims/check.ts";
import { readFacts } from "../../answers/claims/facts.ts";
import { mean, valuesOf } from "./measure.ts";
import type { Probe } from "./probe.ts";
import { reasoned } from "./reasoned.ts";

export const facts: Probe = {
  title: "claims of the reasoning against the known facts of the image",
  about: "reasoning",
  plan(context) {
    const { examples, vocabulary } = context;
    if (examples.every((example) => readFacts(example.facts) === null)) return "the data has no facts about its images";
    const rows = reasoned(context);
    if (typeof rows === "string") return rows;
    return {
      variants: [],
      measure() {
        const scored = rows.flatMap((one) => {
          const known = readFacts(examples[one.index]!.facts);
          if (known === null) return [];
          return [{ ...one, score: scoreFacts(checkClaims(one.rationale.text, known, vocabulary), known) }];
        });
        const of = (part: (score: FactScore) => number | null) => valuesOf(scored, ({ score }) => part(score));
        return [
          mean(
            "claims",
            "number",
            of(({ claims }) => claims),
          ),
          mean(
            "precision",
            "share",
            of(({ precision }) => precision),
          ),
          mean(
            "recall",
            "share",
            of(({ recall }) => recall),
          ),
          mean(
            "hallucination_rate",
            "share",
            of(({ hallucination }) => hallucination),
          ),
        ];
      },
    };
  },
};
