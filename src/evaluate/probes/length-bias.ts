/** Whether longer completions score better or worse: correlation of score and length. Asks no further questions. */

import type { Asked } from "./asked.ts";
import { lengthOf } from "./form.ts";
import { correlation } from "./measure.ts";
import type { Probe } from "./probe.ts";

export const lengthBias: Probe = {
  title: "correlation of scores with the completion's length",
  about: "bias",
  plan: ({ plain }) => ({
    variants: [],
    measure() {
      const pairs = (score: (one: Asked) => number) =>
        plain.map((one) => ({ subject: one.item.subject_id, value: score(one), other: lengthOf(one) }));
      return [
        correlation(
          "accuracy_with_length",
          pairs(({ item }) => item.strict),
        ),
        correlation(
          "token_f1_with_length",
          pairs(({ item }) => item.token_f1),
        ),
      ];
    },
  }),
};
