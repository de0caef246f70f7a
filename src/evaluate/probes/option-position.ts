/** Does an option's place decide: the right option is put at every letter in turn, the others in an order by the seed. */
import { chosenOption, optionLetter, rightOption } from "../../answers/choice.ts";
import { permutation, randomKey } from "../../core/random.ts";
import type { Example } from "../../core/records.ts";
import type { Asked } from "./asked.ts";
import { keyOf, mean, share, valuesOf } from "./measure.ts";
import type { Probe, Variant } from "./probe.ts";

export const optionPosition: Probe = {
  title: "options in other orders: accuracy by the right option's letter, consistency",
  about: "bias",
  plan({ examples, seed }) {
    const rows = examples.flatMap((example, i) => (rightPlace(example) < 0 ? [] : [i]));
    if (rows.length === 0) return "there are no multiple-choice questions";
    const most = Math.max(...rows.map((i) => examples[i]!.choices.length));
    const variants = Array.from(
      { length: most },
      (_, place): Variant => ({
        name: `right option at ${optionLetter(place)}`,
        rows: rows.filter((i) => place < examples[i]!.choices.length),
        change: (example, index) => reordered(example, place, seed, index),
      }),
    );
    return {
      variants,
      measure(answers) {
        const all = answers.flat();
        return [
          ...answers.map((asked, place) =>
            share("accuracy", asked, ({ item }) => item.strict === 1, `right option at ${optionLetter(place)}`),
          ),
          ...answers.map((_, place) => letterExcess(all, place)),
          share("same_option", groupByQuestion(all), ({ same }) => same, "in all orders"),
        ];
      },
    };
  },
};

function rightPlace(example: Example): number {
  return example.answerType === "choice" ? rightOption(example) : -1;
}

function reordered(example: Example, place: number, seed: number, index: number): Example {
  const right = rightPlace(example);
  const others = example.choices.filter((_, i) => i !== right);
  const order = permutation(randomKey(seed, "options", index, place), others.length);
  const choices = Array.from(order, (i) => others[i]!).toSpliced(place, 0, example.choices[right]!);
  return { ...example, choices, answer: example.choices[right]!, answerIndex: place };
}

/** How much more often the letter is chosen than by chance; over all positions the correct option is balanced. */
function letterExcess(asked: readonly Asked[], place: number) {
  const values = valuesOf(asked, ({ example, item }) => {
    const chosen = chosenOption(item.parsed_answer?.text ?? "", example.choices);
    if (chosen === null || place >= example.choices.length) return null;
    return Number(chosen.index === place) - 1 / example.choices.length;
  });
  return mean("chosen_over_chance", "difference", values, `letter ${optionLetter(place)}`);
}

/**
 * One variant of each question, with whether all variants chose the same option; null if fewer than two can be parsed.
 */
function groupByQuestion(asked: readonly Asked[]): readonly (Asked & { readonly same: boolean | null })[] {
  const byQuestion = new Map<number, Asked[]>();
  for (const one of asked) byQuestion.set(one.index, [...(byQuestion.get(one.index) ?? []), one]);
  return [...byQuestion.values()].map((group) => {
    const keys = group.map(keyOf).filter((key) => key !== null);
    return { ...group[0]!, same: keys.length < 2 ? null : new Set(keys).size === 1 };
  });
}
