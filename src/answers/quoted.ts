/** A yes or no that an answer talks about and does not give: "no one would say no", "a no would be misleading". */
import type { Word } from "./normalise.ts";

/**
 * Whether the yes or no at `at` is only quoted: as what others say or would say, or as a thing that is spoken of. What the
 * answer itself says ("I would say no", "the answer is no", "that is a no") is not.
 */
export function isQuoted(cleaned: string, all: readonly Word[], at: number): boolean {
  const { start, end } = all[at]!;
  const previous = all[at - 1];
  if (previous === undefined || !/^\s["'“]?$/.test(cleaned.slice(previous.end, start))) return false;
  const before = previous.token;
  const isWhole = !GOES_ON.test(cleaned.slice(end, end + 24)); // not "no effusion"
  if (SAYS.test(before) && isWhole) return !isOwnWord(cleaned.slice(0, previous.start), before);
  if (before === "for" && isWhole) return true;
  if (!(/^(?:a|simple|plain|clear)$/.test(before) && isWhole)) return false;
  const led = cleaned.slice(0, start);
  return /^\s(?:is|was|would|will|can|could|cannot|should|may|might)\b/i.test(cleaned.slice(end)) || !IS_A.test(led);
}

const SAYS = /^(?:say|says|said|saying|answer|answers|answered|answering|reply|replies|replied|mean|means|meant)$/;
/** A word after it makes "no" part of a statement: "says no effusion is present", not "say no to that". */
const GOES_ON =
  /^\s(?!(?:to|here|there|is|are|was|were|would|will|can|cannot|could|should|and|but|or|nor|at|in|on|with|for|if|as|because|when|then|either|too|anyway)\b)\p{L}/iu;
/** "It is a no", "that's a clear no"; or nothing stands before it. */
const IS_A = /(?:^|[.;:!?\n]|\b(?:is|be|was)|'s|’s|\bi say|\bi'd say)\s*(?:a|an)?\s*(?:simple |plain |clear )?\s*$/i;

/** "I would say", "we answer", "answer" as the first word, "the answer". */
function isOwnWord(led: string, verb: string): boolean {
  if (OWN.test(led)) return true;
  return verb === "answer" && /(?:^|[.;:!?\n]\s*|\b(?:the|my|our|final|correct|an|short|right)\s)$/i.test(led);
}

const OWN =
  /(?:^|[^\p{L}'])(?:i|we)(?:'\p{L}+)?(?:\s(?:would|will|must|should|shall|have|had|need|to|can|do|am|are|going|inclined|forced|also|still|therefore|thus|just|simply|rather|only|want|wish|then))*\s$/iu;

/** A denied statement about a statement that denies something: "nobody claims that it is absent". */
export const DENIED_SPEECH =
  /\b(?:no|not|none|nothing|nobody|never|neither|cannot|\p{L}+n't)\s(?!means\b)[^.,;:!?\n]{0,60}?\b(?:say|says|saying|said|claim|claims|believe|believes|think|thinks|mean|means|call|calls|prove|proves|suggest|suggests|make|makes|argues?|speaks?|follow)\b[^.;:!?\n]{0,200}\b(?:no|not|none|nothing|absent|absence|false|without|never|free of)\b/iu;
/** What is supposed, was once so, was expected, or holds in no case. */
export const SUPPOSED =
  /\b(?:assuming|assume|suppose|supposing|unless|used to be|would (?:have )?expect(?:ed)?|need not|needn't|in no (?:case|event)|under no circumstances|on no account)\b|(?:^|[.;\n]\s*)(?:were|had) (?:it|there|they|he|she|this|that)\b/i;
