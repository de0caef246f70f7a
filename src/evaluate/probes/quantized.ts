/** Sensitivity to quantisation: the same model with its matrices in 8 and 4 bits. */
import { compare } from "./measure.ts";
import type { Probe, Variant } from "./probe.ts";

const variants = (["int8", "int4"] as const).map((weights): Variant => ({ name: `${weights} weights`, weights }));

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
