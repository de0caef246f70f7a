/** Counts phrases of reasoning that verify, backtrack, set sub-goals or chain backward. Asks no further questions. */
import { behaviourPatterns, countOf } from "../reasoning/behaviours.ts";
import { mean, share, valuesOf } from "./measure.ts";
import type { Probe } from "./probe.ts";
import { reasoned } from "./reasoned.ts";

export const behaviours: Probe = {
  title: "phrases that verify, backtrack, set sub-goals, chain backward",
  about: "reasoning",
  plan(context) {
    const rows = reasoned(context);
    if (typeof rows === "string") return rows;
    return {
      variants: [],
      measure: () =>
        Object.entries(behaviourPatterns).flatMap(([name, pattern]) => {
          const count = ({ rationale }: (typeof rows)[number]) => countOf(rationale.text, pattern);
          return [
            share(`${name}_share`, rows, (one) => count(one) > 0),
            mean(`${name}_count`, "number", valuesOf(rows, count)),
          ];
        }),
    };
  },
};
