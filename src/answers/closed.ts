/** Yes or no: reads the polarity of an answer; an answer that says both, neither, or only perhaps has none. */
import { readings } from "./negation.ts";
import { clean, normalise, type Word, words } from "./normalise.ts";
import { DENIED_SPEECH, isQuoted, SUPPOSED } from "./quoted.ts";

export type Polarity = "yes" | "no";

/**
 * What an answer to a yes/no question says. Yes: "yes", "true", "present"; no: "no", "none", "false", "absent". A negation
 * turns the adjectives ("not present", "no opacity or mass is present": no; "not absent": yes). Null when both are said
 * ("Yes, but no effusion") or neither, and when what is said is only possible or in doubt ("possibly present", "unclear
 * whether", "cannot be excluded"), unless the answer begins with its verdict ("Yes, possibly a small one").
 */
export function polarity(text: string): Polarity | null {
  const cleaned = clean(text);
  const all = words(cleaned);
  const read = readings(cleaned, all);
  const said = new Set<Polarity>();
  let doubt = false;
  for (const [i, word] of all.entries()) {
    const meant = MEANINGS.get(word.token);
    if (meant === "no" && !VERDICTS.has(word.token) && isAsked(cleaned, word.end)) return null; // "Absent? No."
    if (meant === undefined || saysNothing(cleaned, all, i)) continue;
    const { assertion, adjacent, by } = read[i]!;
    const isVerdict = VERDICTS.has(word.token);
    if (
      isVerdict &&
      (isQuoted(cleaned, all, i) || (assertion === "denied" && /^(?:be|is)$/.test(all[i - 1]?.token ?? "")))
    ) {
      doubt = true;
      continue;
    }
    if (assertion === "affirmed") said.add(meant === "yes" && isNowhere(all, i) ? "no" : meant);
    else if (isVerdict && assertion === "denied" && !adjacent && word.token !== "yes" && !TURNS.test(by ?? ""))
      said.add(meant);
    else if (!isVerdict && assertion === "denied") said.add(turned(meant, by));
    else doubt = true;
  }
  const [verdict] = said;
  if (verdict === undefined || said.size > 1) return null;
  if (firstVerdict(cleaned, all) === verdict) return verdict;
  const isUndone = [DENIES_DENIAL, DENIED_SPEECH, SUPPOSED].some((pattern) => pattern.test(cleaned));
  return doubt || isUndone || (said.has("no") && EXCEPTS.test(cleaned)) ? null : verdict;
}

const MEANINGS: ReadonlyMap<string, Polarity> = new Map([
  ["yes", "yes"],
  ["no", "no"],
  ["none", "no"],
  ["true", "yes"],
  ["present", "yes"],
  ["false", "no"],
  ["absent", "no"],
]);
/** What turns a "no" ("no is incorrect", "there cannot be no mass"); after others it goes on ("without fluid, no mass"). */
const TURNS = /^(?:incorrect|wrong|false|untrue|impossible|not|cannot|is|was|would|seems|nobody|no 1|\p{L}*n't)$/u;
/** "No finding is present other than a mass" */
const EXCEPTS = /\b(?:except|apart from|aside from|besides|but for|other than)\b/i;
/** What is denied is itself a denial ("no evidence that it is absent"), or what is said is only supposed ("would be present if"). */
const DENIES_DENIAL =
  /\b(?:false|untrue|true|incorrect|wrong|impossible|unlikely|evidence|proof|sign|case|doubtful|mistake|mistaken|error|not so|\p{L}+n't so)\s(?:that|to\s\p{L}+(?:\sthat)?)\b[^.;!?\n]{0,200}\b(?:no|not|none|nothing|absent|without|never|free of)\b|\bwould\s(?:be|have)\b[^.;!?\n]{0,200}\bif\b/iu;
const VERDICTS: ReadonlySet<string> = new Set(["yes", "no", "none"]);

/** "not absent" is yes; "no fluid is absent" is left at no, as it was put. */
function turned(meant: Polarity, by: string | null): Polarity {
  if (meant === "yes") return "no";
  return by === "no" || by === "without" || by === "none" ? "no" : "yes";
}

/** "no doubt", "no idea", "no longer", "no other than", "at present", "present with", "No. 3". */
export function saysNothing(cleaned: string, all: readonly Word[], at: number): boolean {
  const { token, end } = all[at]!;
  const before = all[at - 1]?.token ?? "";
  const after = all[at + 1]?.token ?? "";
  if (token === "no" || token === "none") {
    if (/^\W*no\.?\s?\d+\W*$/i.test(cleaned)) return true;
    if (
      /^(?:doubt|question|1|body|wonder|idea|clue|information|answer|way|opinion|comment|image|other|different|means|change|need|matter|problem|reason|sooner|case|circumstances|account|event|ground)$/.test(
        after,
      )
    ) {
      return cleaned.slice(end, all[at + 1]!.start).trim() === "" && !/^(?:none)$/.test(token);
    }
    return at > 0 && /^\.\s?\d/.test(cleaned.slice(end)) && !/[.;:!?]\s*$/.test(cleaned.slice(0, all[at]!.start));
  }
  if (isAsked(cleaned, end) && token !== "yes") return true;
  if (token !== "present") return false;
  return /^(?:at|the|this)$/.test(before) || /^(?:with|study|examination|image|illness)$/.test(after);
}

/** "present in neither lung" */
function isNowhere(all: readonly Word[], at: number): boolean {
  const [next = "", after = ""] = [all[at + 1]?.token, all[at + 2]?.token];
  return next === "nowhere" || (/^(?:in|on|at|within)$/.test(next) && /^(?:neither|no|none)$/.test(after));
}

/** Whether the sentence from here on is a question, which says nothing. */
function isAsked(cleaned: string, from: number): boolean {
  return /^[^.!?;\n]{0,200}\?/.test(cleaned.slice(from, from + 201));
}

/** The yes or no that an answer begins with, a sign after it: "Yes, possibly a small one". */
function firstVerdict(cleaned: string, all: readonly Word[]): Polarity | null {
  const first = all[0]!;
  const isVerdict = first.token === "yes" || first.token === "no";
  return isVerdict && /^\W*(?:[.,;:!)\n]|$)/.test(cleaned.slice(first.end, first.end + 3))
    ? (first.token as Polarity)
    : null;
}

/** The polarity of a reference that is nothing but yes or no; null for "left", "MRI", "yes, on the left". */
export function referencePolarity(reference: string): Polarity | null {
  return REFERENCES.get(normalise(reference)) ?? null;
}

const REFERENCES: ReadonlyMap<string, Polarity> = new Map([
  ["yes", "yes"],
  ["true", "yes"],
  ["present", "yes"],
  ["no", "no"],
  ["false", "no"],
  ["absent", "no"],
]);
