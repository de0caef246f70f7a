/** Sensitivity to small image changes: noise and contrast, at several levels. */
import { contrastedImage, noisyImage } from "../../data/changed-images.ts";
import { changedImages, lacksImages } from "./image-variants.ts";
import { compare } from "./measure.ts";
import type { Probe, ProbeContext, ProbePlan, Variant } from "./probe.ts";

/** Standard deviation of the noise, as a fraction of the value range. */
const NOISE = [0.02, 0.05, 0.1] as const;
/** Factors on the deviation from the image's mean. */
const CONTRAST = [0.5, 0.75, 1.5] as const;

export const noise: Probe = {
  title: "noise added to the image, in levels",
  about: "bias",
  plan: (context) =>
    shifted(
      context,
      NOISE.map((level) => changedImages(`noise ${level}`, noisyImage(level, context.seed))),
    ),
};

export const contrast: Probe = {
  title: "the image's contrast lowered and raised",
  about: "bias",
  plan: (context) =>
    shifted(
      context,
      CONTRAST.map((factor) => changedImages(`contrast ${factor}`, contrastedImage(factor))),
    ),
};

function shifted({ examples, plain }: ProbeContext, variants: readonly Variant[]): ProbePlan | string {
  const none = lacksImages(examples);
  if (none !== null) return none;
  return {
    variants,
    measure: (answers) => answers.flatMap((asked, v) => compare(plain, asked, variants[v]!.name)),
  };
}
