/**
 * Accuracy against ε: every image is moved, at most ε a pixel, to where the model likes the reference answer least (PGD,
 * arXiv 1706.06083); beside it random signs of the same size, which tell a model that noise alone disturbs.
 */
import { randomSigns } from "../../data/changed-images.ts";
import { changedImages, lacksImages } from "./image-variants.ts";
import { compare } from "./measure.ts";
import type { Probe, Variant } from "./probe.ts";

/** Largest changes of a pixel, of 255. */
const EPSILONS = [1, 2, 4, 8] as const;
const STEPS = 5;

export const adversarial: Probe = {
  title: "images changed against the model, by the largest change of a pixel",
  about: "bias",
  onlyNamed: true,
  plan({ examples, plain, attack = null, seed }) {
    const none = lacksImages(examples);
    if (none !== null) return none;
    if (attack === null) return "the model is computed elsewhere, or cuts images into frames";
    const attacked = EPSILONS.map((epsilon): Variant => {
      const o = { epsilon: epsilon / 255, alpha: Math.max(1, epsilon / 2) / 255, steps: STEPS };
      return { name: `against the model, ${epsilon}/255`, change: (example) => attack(example, o) };
    });
    const random = EPSILONS.map((epsilon) => changedImages(`random signs, ${epsilon}/255`, randomSigns(epsilon, seed)));
    const variants = [...attacked, ...random];
    return {
      variants,
      measure: (answers) => answers.flatMap((asked, v) => compare(plain, asked, variants[v]!.name)),
    };
  },
};
