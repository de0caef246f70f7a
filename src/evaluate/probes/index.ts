/** The probes by name. A new probe is one file, one line here, its name in ../names.ts, and a page in docs/probes. */
import type { ProbeName } from "../names.ts";
import { adversarial } from "./adversarial.ts";
import { answerPrior } from "./answer-prior.ts";
import { behaviours } from "./behaviours.ts";
import { consistency } from "./consistency.ts";
import { decoding } from "./decoding.ts";
import { facts } from "./facts.ts";
import { faithfulness } from "./faithfulness.ts";
import { form } from "./form.ts";
import { hemorrhage } from "./hemorrhage.ts";
import { imageGrounding } from "./image-grounding.ts";
import { judge } from "./judge.ts";
import { lengthBias } from "./length-bias.ts";
import { mirror } from "./mirror.ts";
import { optionPosition } from "./option-position.ts";
import { paraphrase } from "./paraphrase.ts";
import type { Probe } from "./probe.ts";
import { quantized } from "./quantized.ts";
import { questionOnly } from "./question-only.ts";
import { semantic } from "./semantic.ts";
import { contrast, noise } from "./shifts.ts";

export const probes = {
  form,
  consistency,
  faithfulness,
  image_grounding: imageGrounding,
  facts,
  semantic,
  judge,
  behaviours,
  answer_prior: answerPrior,
  option_position: optionPosition,
  question_only: questionOnly,
  paraphrase,
  mirror,
  noise,
  contrast,
  quantized,
  hemorrhage,
  adversarial,
  decoding,
  length_bias: lengthBias,
} as const satisfies Readonly<Record<ProbeName, Probe>>;
