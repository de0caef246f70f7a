/** Semantic alignment by concepts: F1 between the medical concepts asserted in the reasoning and in the reference. */
import { z } from "zod";
import { findConcepts, type Mention } from "../../answers/concepts/find.ts";
import { agreement, assertedConcepts, conceptF1, elements } from "../../answers/concepts/match.ts";
import { UserError } from "../../core/errors.ts";
import type { Completion, Evidence, Example } from "../../core/records.ts";
import { defineReward } from "../options.ts";
import type { Reward } from "../reward.ts";
import { givenText, referenceText, textOptions } from "./texts.ts";

/** In [0, 1]; null where the reference asserts no concept, 0 where the completion has no reasoning. */
export const concepts = defineReward("semantic", z.object(textOptions), ({ of, reference }, context): Reward => {
  const { vocabulary, style = "think_answer", thinkOpened } = context;
  if (vocabulary === undefined) throw new UserError('reward "semantic": the scorer concepts needs a vocabulary');

  const wantedBy = (example: Example) => {
    const text = referenceText(example, reference);
    return assertedConcepts(text === null ? [] : findConcepts(text, vocabulary));
  };
  const mentionsOf = ({ text }: Completion) => {
    const given = givenText(text, of, { style, thinkOpened });
    if (given === null) return [];
    return findConcepts(given.text, vocabulary).map((mention) => shifted(mention, given.start));
  };
  return {
    name: "semantic",
    range: [0, 1],
    score: (example, completions) => {
      const wanted = wantedBy(example);
      if (wanted.size === 0) return completions.map(() => null);
      return completions.map((completion) => conceptF1(assertedConcepts(mentionsOf(completion)), wanted) ?? 0);
    },
    evidence: (example, completions) => {
      const wanted = wantedBy(example);
      if (wanted.size === 0) return completions.map(() => []);
      const text = referenceText(example, reference)!;
      const denied = new Set(
        findConcepts(text, vocabulary)
          .filter((m) => m.assertion === "absent")
          .flatMap(elements),
      );
      return completions.map((completion) =>
        mentionsOf(completion).map((mention) => evidenceOf(mention, wanted, denied)),
      );
    },
  };
});

function shifted(mention: Mention, by: number): Mention {
  return { ...mention, start: mention.start + by, end: mention.end + by };
}

/** True: the reference says so too. False: it does not say, or says the contrary. Unknown: by half, or the text is unsure. */
function evidenceOf(mention: Mention, wanted: ReadonlySet<string>, denied: ReadonlySet<string>): Evidence {
  const { assertion, start, end } = mention;
  const said = elements(mention);
  const least = (others: ReadonlySet<string>) => Math.min(...said.map((element) => agreement(element, others)));
  const most = (others: ReadonlySet<string>) => Math.max(...said.map((element) => agreement(element, others)));
  const verdict = (): boolean | "unknown" => {
    if (assertion === "uncertain") return "unknown";
    if (assertion === "absent") return most(wanted) === 1 ? false : least(denied) === 1 ? true : "unknown";
    return least(wanted) === 1 ? true : most(wanted) === 0 ? false : "unknown";
  };
  return { reward: "semantic", start, end, label: assertion, concept: said.join(", "), verdict: verdict() };
}
