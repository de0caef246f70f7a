/** How the reasoning of a whole evaluation goes about it: facts it restates, options it rules out, behaviours. */
import type { Vocabulary } from "../../answers/concepts/vocabulary.ts";
import { parseRationale } from "../../answers/rationale.ts";
import type { AnswerStyle } from "../../answers/tags.ts";
import type { Example } from "../../core/records.ts";
import { bootstrapMean, bootstrapMeans, type Interval } from "../bootstrap.ts";
import { behaviourPatterns, countOf } from "./behaviours.ts";
import { excludedOptions } from "./excluded-options.ts";
import { restatedFacts } from "./restated-facts.ts";

export interface ReasoningSummary {
  /** Completions with reasoning. */
  readonly rationales: number;
  /** Distinct facts of question and image per 100 words (CECD, our reading). */
  readonly restated_facts: Interval | null;
  /** Share of wrong options that are ruled out (DRC, our reading); null without choice questions. */
  readonly excluded_options: Interval | null;
  /** Phrases per rationale, by behaviour. */
  readonly behaviours: Readonly<Record<keyof typeof behaviourPatterns, Interval>>;
}

/** Of one text per example, in their order; null where none reasons. */
export function summariseReasoning(
  examples: readonly Example[],
  texts: readonly string[],
  o: { readonly style: AnswerStyle; readonly vocabulary: Vocabulary },
): ReasoningSummary | null {
  const found = examples.flatMap((example, i) => {
    const rationale = parseRationale(texts[i]!, o.style)?.text;
    return rationale === undefined ? [] : [{ example, rationale }];
  });
  if (found.length === 0) return null;
  const mean = (value: (one: (typeof found)[number]) => number | null) => {
    const known = found.flatMap((one) => {
      const own = value(one);
      return own === null ? [] : [{ own, subject: one.example.subjectId }];
    });
    return bootstrapMean(
      known.map(({ own }) => own),
      known.map(({ subject }) => subject),
    );
  };
  const counts = Object.values(behaviourPatterns).map((pattern) =>
    found.map(({ rationale }) => countOf(rationale, pattern)),
  );
  const means = bootstrapMeans(
    counts,
    found.map(({ example }) => example.subjectId),
  );
  const behaviours = Object.keys(behaviourPatterns).map((name, i) => [name, means[i]!] as const);
  return {
    rationales: found.length,
    restated_facts: mean(({ example, rationale }) => restatedFacts(example, rationale, o.vocabulary)),
    excluded_options: mean(({ example, rationale }) => excludedOptions(example, rationale)),
    behaviours: Object.fromEntries(behaviours) as ReasoningSummary["behaviours"],
  };
}
