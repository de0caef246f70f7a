/** Is the reasoning true? The share of its checkable claims that the image's facts bear out less the share they refute. */
import { z } from "zod";
import { type CheckedClaim, checkClaims, claimText } from "../answers/claims/check.ts";
import { readFacts } from "../answers/claims/facts.ts";
import { parseRationale } from "../answers/rationale.ts";
import { answerStyles } from "../answers/tags.ts";
import { UserError } from "../core/errors.ts";
import type { Completion, Evidence, Example } from "../core/records.ts";
import { defineReward } from "./options.ts";
import type { Reward } from "./reward.ts";

const factsOptions = z.object({
  style: z.enum(answerStyles).optional(),
});

/** In [-1, 1]; null where the example has no facts, 0 where the reasoning claims nothing that can be checked. */
export const facts = defineReward("facts", factsOptions, (given, context): Reward => {
  const style = given.style ?? context.style ?? "think_answer";
  const { vocabulary } = context;
  if (vocabulary === undefined) throw new UserError('reward "facts": needs a vocabulary');

  function checkedClaims(example: Example, { text }: Completion): readonly CheckedClaim[] | null {
    const known = readFacts(example.facts);
    if (known === null) return null;
    const rationale = parseRationale(text, style);
    if (rationale === null) return [];
    return checkClaims(rationale.text, known, vocabulary!).map(({ claim, verdict }) => {
      const { start, end } = claim;
      return { claim: { ...claim, start: start + rationale.start, end: end + rationale.start }, verdict };
    });
  }

  return {
    name: "facts",
    range: [-1, 1],
    score: (example, completions) =>
      completions.map((completion) => {
        const checked = checkedClaims(example, completion);
        return checked === null ? null : shareTrueLessFalse(checked);
      }),
    evidence: (example, completions) =>
      completions.map((completion) => (checkedClaims(example, completion) ?? []).map(evidenceOf)),
  };
});

/** Each claim counts once, however often it is said. */
function shareTrueLessFalse(checked: readonly CheckedClaim[]): number {
  const said = new Map(checked.map(({ claim, verdict }) => [claimText(claim), verdict] as const));
  const verdicts = [...said.values()].filter((verdict) => verdict !== null);
  const right = verdicts.filter(Boolean).length;
  return verdicts.length === 0 ? 0 : (2 * right - verdicts.length) / verdicts.length;
}

function evidenceOf({ claim, verdict }: CheckedClaim): Evidence {
  const { kind, start, end } = claim;
  return { reward: "facts", start, end, label: kind, concept: claimText(claim), verdict: verdict ?? "unknown" };
}
