/** Sensitivity to quantisation: the same model with its matrices in 8 and 4 bits. */
import { compare } from "./measure.ts";
import type { Probe, Variant } from "./probe.ts";

const variants = ([8, 4] as const).map((bits): Variant => {
  return { name: `int${bits} weights`, weights: { kind: "quantize", bits } };
});

export const quantized: Probe = {
  title: "weights quantised to 8 and 4 bits",
  about: "bias",
  plan({ plain }) {
    return {
      variants,
      measure: (answers) => answers.flatMap((asked, v) => compare(plain, asked, variants[v]!.name)),
    };
  },
};
