/**
 * A reward of one's own: 1 where the reasoning names a side that the reference answer does not contradict. In a recipe:
 *   rewards: { accuracy: 1.0, side: { module: examples/side-reward.ts, weight: 0.2, empty: 0 } }
 */
import type { Reward } from "viva-rl/rewards";

const SIDES = ["left", "right"];

/** The recipe's further keys come as options. */
export default function side({ empty = 0 }: { readonly empty?: number }): Reward {
  return {
    name: "side",
    range: [Math.min(empty, 0), 1],
    score: (example, completions) =>
      completions.map(({ text }) => {
        const expected = SIDES.filter((name) => example.answer.toLowerCase().includes(name));
        const named = SIDES.filter((name) => text.toLowerCase().includes(name));
        if (expected.length === 0) return null; // says nothing about this question
        return named.length === 0 ? empty : Number(named.every((name) => expected.includes(name)));
      }),
  };
}
