/** Whether the rationale's last conclusion matches the given answer. Asks no further questions. */
import { followsFrom } from "../../answers/conclusion.ts";
import { share } from "./measure.ts";
import type { Probe } from "./probe.ts";
import { reasoned } from "./reasoned.ts";

export const consistency: Probe = {
  title: "the rationale's last conclusion equals the answer",
  about: "reasoning",
  plan(context) {
    const rows = reasoned(context);
    if (typeof rows === "string") return rows;
    const answered = rows.filter(({ item }) => item.parsed_answer !== null);
    if (answered.length === 0) return "no completion has both a rationale and an answer";
    return {
      variants: [],
      measure() {
        const judged = answered.map((one) => ({
          ...one,
          follows: followsFrom(one.example, one.rationale.text, one.item.parsed_answer!.text, context.vocabulary),
        }));
        return [
          share("concludes", judged, ({ follows }) => follows !== null),
          share("consistent", judged, ({ follows }) => follows, "where it concludes"),
          share(
            "consistent",
            judged,
            ({ follows, item }) => (item.strict === 1 ? follows : null),
            "where the answer is right",
          ),
          share(
            "consistent",
            judged,
            ({ follows, item }) => (item.strict === 0 ? follows : null),
            "where the answer is wrong",
          ),
        ];
      },
    };
  },
};
