/**
 * Phrases by which reasoning verifies, backtracks, sets sub-goals or chains backward from a hypothesis: the four behaviours
 * of arXiv 2503.01307 that Clinical-R1 counts too. The patterns are ours; docs/probes/behaviours.md lists what they match.
 */

/** By behaviour; docs/probes/behaviours.md lists what they match. */
export const behaviourPatterns = {
  verification:
    /\b(?:let(?:'s| me| us) (?:double[- ]?check|check|verify|confirm|re-?check)|double[- ]?check(?:ing)?|to (?:verify|confirm|be sure)|check(?:ing)? (?:whether|that|if|again)|look(?:ing)? again|verify(?:ing)? (?:whether|that|this))\b/gi,
  backtracking:
    /\b(?:wait|actually|on second thought|let me (?:reconsider|rethink|correct)|i was (?:wrong|mistaken)|that (?:is|was)(?: not|n't) (?:right|correct)|this (?:is|was)(?: not|n't) (?:right|correct)|scratch that|going back|no, (?:it|this|that))\b/gi,
  sub_goals:
    /(?:\b(?:first|firstly|second|secondly|third|thirdly|next|then|finally|to begin with|step \d+)(?=[,:])|\blet (?:me|us) (?:first|start|begin)\b|^\s*(?:\d+[.)]|step \d+)\s)/gim,
  backward_chaining:
    /\b(?:(?:this|that|which|these|they|it) (?:would|could|might|may) (?:explain|account for|suggest|fit|be explained by)|(?:consistent|in keeping|compatible) with|(?:if|assuming|suppose|supposing) (?:it|this|there) (?:is|were|was)|would (?:expect|be expected)|(?:possible|likely) causes?|working back(?:ward|wards)?|supports? (?:the|a|this) (?:diagnosis|hypothesis|idea|conclusion))\b/gi,
} as const;

/** How often a behaviour's phrases stand in a text. */
export function countOf(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}
