/** One answer given far more often than it is right: the policy answers the type of question, not the question. */
import { chosenOption, optionLetter, referenceOption } from "../../answers/choice.ts";
import { polarity, referencePolarity } from "../../answers/closed.ts";
import { normalise } from "../../answers/normalise.ts";
import { wholePercent } from "../../core/percent.ts";
import type { AlarmRule, Measurement, ObservedGroup, ObservedStep } from "./alarm.ts";
import { evidence, lastSteps } from "./window.ts";

/** Fewer completions of an answer type say nothing. */
const FEWEST = 32;

export const dominantAnswer: AlarmRule = {
  fires: "above",
  defaults: { window: 10, threshold: 0.4, clear: 0.25 },
  /** By answer type: the largest excess of an answer's share over the share of questions it is the reference of. */
  measure(steps, window) {
    const recent = steps.slice(-window);
    const types = new Set(recent.flatMap(({ groups }) => groups.map(({ answer_type }) => answer_type)));
    return [...types].sort().flatMap((type) => excessOf(type, recent, window));
  },
};

function excessOf(type: ObservedGroup["answer_type"], recent: readonly ObservedStep[], window: number): Measurement[] {
  const groups = recent.flatMap((step) => step.groups).filter(({ answer_type }) => answer_type === type);
  const given = new Map<string, number>();
  const right = new Map<string, number>();
  let total = 0;
  for (const group of groups) {
    const reference = referenceKey(group);
    right.set(reference, (right.get(reference) ?? 0) + group.completions.length);
    total += group.completions.length;
    for (const { parsed_answer } of group.completions) {
      const key = parsed_answer === null ? null : answerKey(group, parsed_answer.text);
      if (key !== null) given.set(key, (given.get(key) ?? 0) + 1);
    }
  }
  if (total < FEWEST) return [];
  const shares = [...given].map(([key, count]) => ({
    key,
    share: count / total,
    excess: (count - (right.get(key) ?? 0)) / total,
  }));
  const most = shares.reduce((a, b) => (b.excess > a.excess ? b : a), { key: "", share: 0, excess: 0 });
  const expected = wholePercent(most.share - most.excess);
  return [
    {
      subject: type,
      value: most.excess,
      message: `"${most.key}" was ${wholePercent(most.share)} of the answers to ${type} questions in ${lastSteps(window)}, and is right for ${expected}`,
      evidence: evidence(recent, (group) => {
        const wrong = group.answer_type === type && referenceKey(group) !== most.key;
        return (
          wrong && group.completions.some((c) => c.parsed_answer && answerKey(group, c.parsed_answer.text) === most.key)
        );
      }),
      advice:
        "The policy guesses without the image. Compare with the question-only baseline; balance the training questions, lower learning_rate, raise temperature or entropy_coef, and check that images reach the model (image_tokens in rollouts.jsonl).",
    },
  ];
}

/** What an answer counts as: an option's letter, yes or no, or its normalised text; null for what says nothing. */
function answerKey({ answer_type, answer, choices }: ObservedGroup, text: string): string | null {
  if (answer_type === "choice") {
    const chosen = chosenOption(text, choices);
    return chosen === null ? null : optionLetter(chosen.index);
  }
  if (answer_type === "closed" && referencePolarity(answer) !== null) return polarity(text);
  return normalise(text) || null;
}

function referenceKey({ answer_type, answer, choices, answer_index }: ObservedGroup): string {
  if (answer_type === "choice") return optionLetter(answer_index ?? referenceOption(answer, choices));
  return (answer_type === "closed" ? referencePolarity(answer) : null) ?? normalise(answer);
}
