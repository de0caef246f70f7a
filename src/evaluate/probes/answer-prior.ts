/** Yes bias: how often the model says yes, compared with how often yes is correct. Asks no further questions. */
import { referencePolarity } from "../../answers/closed.ts";
import type { Asked } from "./asked.ts";
import { keyOf, mean, share, valuesOf } from "./measure.ts";
import type { Probe } from "./probe.ts";

export const answerPrior: Probe = {
  title: "rate of yes answers against the true rate, in yes/no questions",
  about: "bias",
  plan({ plain }) {
    const closed = plain.filter(({ example }) => truthOf({ example }) !== null);
    if (closed.length === 0) return "no question has yes or no as its reference";
    return {
      variants: [],
      measure() {
        const readable = closed.filter((one) => keyOf(one) !== null);
        const saysYes = (one: Asked) => keyOf(one) === "yes";
        const isYes = (one: Asked) => truthOf(one) === "yes";
        const right = ({ item }: Asked) => item.strict === 1;
        return [
          share("readable", closed, (one) => keyOf(one) !== null),
          share("yes_rate", readable, saysYes),
          share("true_yes_rate", readable, isYes),
          mean(
            "yes_bias",
            "difference",
            valuesOf(readable, (one) => Number(saysYes(one)) - Number(isYes(one))),
          ),
          share("accuracy", closed, (one) => (isYes(one) ? right(one) : null), "truth is yes"),
          share("accuracy", closed, (one) => (isYes(one) ? null : right(one)), "truth is no"),
        ];
      },
    };
  },
};

function truthOf({ example }: Pick<Asked, "example">) {
  return example.answerType === "closed" ? referencePolarity(example.answer) : null;
}
