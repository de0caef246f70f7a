/**
 * Counts phrases of reasoning that verify, backtrack, or set sub-goals (arXiv 2503.01307). Asks no further questions.
 */
import { mean, share, valuesOf } from "./measure.ts";
import type { Probe } from "./probe.ts";
import { reasoned } from "./reasoned.ts";

/** By behaviour; docs/probes/behaviours.md lists what they match. */
export const patterns = {
  verification:
    /\b(?:let(?:'s| me| us) (?:double[- ]?check|check|verify|confirm|re-?check)|double[- ]?check(?:ing)?|to (?:verify|confirm|be sure)|check(?:ing)? (?:whether|that|if|again)|look(?:ing)? again|verify(?:ing)? (?:whether|that|this))\b/gi,
  backtracking:
    /\b(?:wait|actually|on second thought|let me (?:reconsider|rethink|correct)|i was (?:wrong|mistaken)|that (?:is|was)(?: not|n't) (?:right|correct)|this (?:is|was)(?: not|n't) (?:right|correct)|scratch that|going back|no, (?:it|this|that))\b/gi,
  sub_goals:
    /(?:\b(?:first|firstly|second|secondly|third|thirdly|next|then|finally|to begin with|step \d+)(?=[,:])|\blet (?:me|us) (?:first|start|begin)\b|^\s*(?:\d+[.)]|step \d+)\s)/gim,
} as const;

export const behaviours: Probe = {
  title: "phrases that verify, backtrack, set sub-goals",
  about: "reasoning",
  plan(context) {
    const rows = reasoned(context);
    if (typeof rows === "string") return rows;
    return {
      variants: [],
      measure: () =>
        Object.entries(patterns).flatMap(([name, pattern]) => {
          const count = ({ rationale }: (typeof rows)[number]) => [...rationale.text.matchAll(pattern)].length;
          return [
            share(`${name}_share`, rows, (one) => count(one) > 0),
            mean(`${name}_count`, "number", valuesOf(rows, count)),
          ];
        }),
    };
  },
};
