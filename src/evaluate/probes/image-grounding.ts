/** Whether the model uses the image: accuracy with the right image minus accuracy with a blank and with a wrong one. */
import { blank, lacksImages, wrongImage } from "./image-variants.ts";
import { mean, pairsOf, share, valuesOf } from "./measure.ts";
import type { Probe } from "./probe.ts";

export const imageGrounding: Probe = {
  title: "does the image matter: accuracy with it minus accuracy with a blank or a wrong one",
  about: "reasoning",
  plan({ examples, plain, seed }) {
    const none = lacksImages(examples);
    if (none !== null) return none;
    const wrong = wrongImage(examples, seed);
    const variants = wrong.rows!.length > 0 ? [blank, wrong] : [blank];
    return {
      variants,
      measure: (answers) => [
        share("accuracy", plain, ({ item }) => item.strict === 1, "right image"),
        ...variants.flatMap(({ name }, v) => {
          const pairs = pairsOf(plain, answers[v]!);
          return [
            share("accuracy", pairs, ({ item }) => item.strict === 1, name),
            mean(
              "grounding",
              "difference",
              valuesOf(pairs, (p) => p.before.item.strict - p.item.strict),
              name,
            ),
          ];
        }),
      ],
    };
  },
};
