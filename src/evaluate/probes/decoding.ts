/** Sensitivity to decoding: compares sampled answers with greedy ones. */
import { compare } from "./measure.ts";
import type { Probe, Variant } from "./probe.ts";

const TEMPERATURES = [0.3, 0.7, 1] as const;

const variants = TEMPERATURES.map((temperature, i): Variant => {
  return { name: `temperature ${temperature}`, temperature, draw: i + 1 };
});

export const decoding: Probe = {
  title: "sampled answers against greedy ones",
  about: "bias",
  plan: ({ plain }) => ({
    variants,
    measure: (answers) => answers.flatMap((asked, v) => compare(plain, asked, variants[v]!.name)),
  }),
};
