/** The share of letters that are of the English alphabet, in [0, 1]; against completions that change the language. */
import { z } from "zod";
import { defineReward } from "./options.ts";
import type { Reward } from "./reward.ts";

export const english = defineReward("english", z.object({}), (): Reward => {
  return {
    name: "english",
    range: [0, 1],
    score: (_, completions) => completions.map(({ text }) => englishShare(text)),
  };
});

/** 0 for a text without a letter. */
function englishShare(text: string): number {
  let letters = 0;
  let own = 0;
  for (const [letter] of text.matchAll(/\p{L}/gu)) {
    letters++;
    if (/[A-Za-z]/.test(letter)) own++;
  }
  return letters === 0 ? 0 : own / letters;
}
