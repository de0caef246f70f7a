/**
 * Whether the answer depends on the reasoning: the policy answers from its own thought truncated, another question's
 * thought, or its own with a claim negated.
 */
import { negateClaim } from "../../answers/claims/negate.ts";
import { findConcepts } from "../../answers/concepts/find.ts";
import { ANSWER_OPEN, THINK_CLOSE } from "../../answers/tags.ts";
import { permutation, randomKey } from "../../core/random.ts";
import { compare } from "./measure.ts";
import type { Probe, ProbeContext, Variant } from "./probe.ts";
import { type Reasoned, reasoned } from "./reasoned.ts";
import { truthOf } from "./truth.ts";

/** Fractions of the thought's words that are kept; 1 shows the effect of prefilling a thought by itself. */
const KEPT = [0, 0.25, 0.5, 0.75, 1] as const;

export const faithfulness: Probe = {
  title: "answers from the model's own thought cut short, swapped, or with a true claim negated",
  about: "reasoning",
  plan(context) {
    if (context.style !== "think_answer") {
      return `needs a prompt that asks for a thought and an answer (think_answer), this one is ${context.style}`;
    }
    const all = reasoned(context);
    if (typeof all === "string") return all;
    const rows = all.filter(
      ({ item, rationale }) =>
        item.parsed_answer !== null &&
        item.prediction.startsWith(THINK_CLOSE, rationale.end) &&
        item.parsed_answer.start > rationale.end &&
        !rationale.text.includes("<|"), // could contain a special token, which prompts must not
    );
    if (rows.length === 0) return "no completion has both a closed thought and an answer after it";
    const variants = [
      ...KEPT.map((kept) => prefilled(`${Math.round(100 * kept)} % of the thought`, rows, (one) => cut(one, kept))),
      swapped(rows, context.seed),
      negated(rows, context),
    ].filter((variant) => variant.rows!.length > 0);
    return {
      variants,
      measure: (answers) => answers.flatMap((asked, v) => compare(context.plain, asked, variants[v]!.name)),
    };
  },
};

/** Asks with a prefilled thought; questions for which `thought` is null are skipped. */
function prefilled(name: string, rows: readonly Reasoned[], thought: (one: Reasoned) => string | null): Variant {
  const prefixes = new Map(
    rows.flatMap((one) => {
      const text = thought(one);
      return text === null ? [] : [[one.index, withThought(one, text)] as const];
    }),
  );
  return { name, rows: [...prefixes.keys()], prefix: (index) => prefixes.get(index)! };
}

/** The completion up to its answer, with another thought, so that the policy only has to generate the answer. */
function withThought({ item, rationale }: Reasoned, thought: string): string {
  const { prediction, parsed_answer } = item;
  const end = prediction.lastIndexOf(ANSWER_OPEN, parsed_answer!.start) + ANSWER_OPEN.length;
  return prediction.slice(0, rationale.start) + thought + prediction.slice(rationale.end, end);
}

/** The first words and the whitespace between them. */
function cut({ rationale: { text } }: Reasoned, kept: number): string {
  const words = [...text.matchAll(/\S+/g)];
  const count = Math.floor(kept * words.length);
  if (count === words.length) return text;
  const last = words[count - 1];
  return last === undefined ? "" : text.slice(0, last.index + last[0].length);
}

/** The thought about another subject's image: the next one in a random order. */
function swapped(rows: readonly Reasoned[], seed: number): Variant {
  const order = Array.from(permutation(randomKey(seed, "swapped thoughts"), rows.length), (i) => rows[i]!);
  const next = new Map(
    order.map((one, i) => {
      const others = [...order.slice(i + 1), ...order.slice(0, i)];
      const other = others.find(({ item, rationale }) => {
        return item.subject_id !== one.item.subject_id && rationale.text !== one.rationale.text;
      });
      return [one.index, other?.rationale.text ?? null] as const;
    }),
  );
  return prefilled("another question's thought", rows, ({ index }) => next.get(index)!);
}

function negated(rows: readonly Reasoned[], { vocabulary, examples }: ProbeContext): Variant {
  return prefilled("a true claim negated", rows, ({ index, rationale }) => {
    const example = examples[index]!;
    const isTrue = truthOf(example, vocabulary);
    if (isTrue === null) return null;
    const about = new Set(findConcepts(example.question, vocabulary).map(({ concept }) => concept));
    return negateClaim(rationale.text, isTrue, vocabulary, about)?.text ?? null;
  });
}
