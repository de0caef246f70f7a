/**
 * Whether an answer affirms, supposes, doubts or denies what it names: the one reading of negation behind choice questions,
 * yes/no questions and conclusions. It knows English function words and no medicine (claims and concepts have NegEx and a
 * vocabulary), and where two negations meet it decides nothing.
 */
import type { Word } from "./normalise.ts";

/** `possible`: said to be possible; `doubted`: neither affirmed nor denied ("unclear whether", "cannot be excluded"). */
export type Assertion = "affirmed" | "possible" | "doubted" | "denied";

export interface Reading {
  readonly assertion: Assertion;
  /** What denies or doubts it stands right before it ("not B"); then a yes or no is no answer. */
  readonly adjacent: boolean;
  /** The token that denies it; null where nothing does. */
  readonly by: string | null;
}

/**
 * The reading of each word of a cleaned text. `inert` words are no negations, since an option's text holds them ("no
 * fracture"). Linear in the text.
 */
export function readings(cleaned: string, all: readonly Word[], inert: ReadonlySet<Word> = NONE): readonly Reading[] {
  const terms = all.map((word) => (inert.has(word) ? "" : term(word)));
  const gaps = all.map((word, i) => {
    const gap = cleaned.slice(i === 0 ? 0 : all[i - 1]!.end, word.start);
    return gap === ". " && inert.has(word) && inert.has(all[i - 1]!) ? " " : gap; // "S. aureus" is one statement
  });
  gaps.push(cleaned.slice(all.at(-1)?.end ?? 0));
  const text = { terms, gaps };
  const found = forward(text);
  denySubjects(text, found);
  return found;
}

interface Terms {
  /** Tokens by which triggers are known; empty for inert words. */
  readonly terms: readonly string[];
  /** What stands before each word, and after the last. */
  readonly gaps: readonly string[];
}

const NONE: ReadonlySet<Word> = new Set();
const AFFIRMED: Reading = { assertion: "affirmed", adjacent: false, by: null };

/** "isn't", "isnt" and "can't" as their negation is looked for; other words as compared. */
function term({ token, raw }: Word): string {
  if (/n't$/i.test(raw)) return `${raw.toLowerCase().slice(0, -3)}n't`;
  return CONTRACTIONS.has(token) ? `${token.slice(0, -2)}n't` : token;
}

const CONTRACTIONS = setOf(
  "isnt arent wasnt werent doesnt dont didnt cant couldnt wouldnt shouldnt hasnt havent wont aint",
);

type Kind = "deny" | "doubt" | "hedge" | "pass";

/** Triggers that act on what follows, the longest first; "pass": negations that deny nothing. */
const TRIGGERS: ReadonlyMap<string, Kind> = new Map([
  ...listed(
    "pass",
    "no doubt|without doubt|without a doubt|beyond doubt|no question|not only|not just|not merely|not simply|no wonder|" +
      "not to mention|at least|last but not least|nothing but|none but|no other than|none other than|not surprisingly",
  ),
  ...listed(
    "deny",
    "not|no|never|neither|nor|none|nothing|without|non|cannot|n't|hardly|scarcely|barely|unlikely|improbable|impossible|" +
      "not yet|no longer|by no means|in no way|" +
      "exclude|excludes|excluded|excluding|rule out|rules out|ruled out|ruling out|eliminate|eliminates|eliminated|" +
      "eliminating|reject|rejects|rejected|dismiss|dismissed|rather than|instead of|other than|as opposed to|except|" +
      "except for|apart from|aside from|absence of|lack of|lacks|free of|negative for|against|incorrect|wrong|untrue|" +
      "inaccurate|anything but|everything but|all but|least likely|less likely|least|opposite of|contrary to|fails to|failed to",
  ),
  ...listed(
    "doubt",
    "whether|if|unclear|uncertain|unsure|unknown|not sure|not certain|not clear|not known|not clearly|not definitely|" +
      "not necessarily|not certainly|not obviously|not always|not entirely|not completely|cannot say|cannot tell|" +
      "cannot determine|cannot decide|cannot confirm|cannot deny|cannot be denied|impossible to say|impossible to tell|rarely|seldom|cannot know|cannot be sure|cannot be certain|cannot assess|" +
      "cannot be confirmed|cannot be determined|cannot be assessed|not say|cannot exclude|cannot rule out|cannot be excluded|not excluded|not exclude|not rule out|not ruled out|not know|" +
      "doubt|doubts|doubtful|doubted|not unlikely|not impossible|not wrong|not incorrect|not without|no idea|no information|no way to tell|no way to know",
  ),
  ...listed(
    "hedge",
    "possibly|possible|perhaps|maybe|may|might|could|questionable|questionably|equivocal|conceivably|suspect|suspected",
  ),
]);

function listed(kind: Kind, phrases: string): [string, Kind][] {
  return phrases.split("|").map((phrase) => [phrase, kind]);
}

function setOf(words: string): ReadonlySet<string> {
  return new Set(words.split(" "));
}

/** Words that begin another statement. */
const BREAKS = setOf(
  "but however yet although though whereas while because since so therefore thus hence then instead rather",
);
/** Words that begin one after a comma or "and". */
const OPENERS = setOf("a an the there it its this that these those he she i we they yes no present absent true false");

interface Trigger {
  readonly kind: Kind;
  readonly length: number;
}

function triggerAt({ terms, gaps }: Terms, at: number): Trigger | null {
  if (terms[at] === "") return null;
  for (let length = 4; length > 0; length--) {
    if (at + length > terms.length) continue;
    if (gaps.slice(at + 1, at + length).some((gap) => !/^[\s-]*$/.test(gap))) continue;
    const phrase = terms.slice(at, at + length).join(" ");
    const kind = TRIGGERS.get(phrase) ?? TRIGGERS.get(uncontracted(phrase));
    if (kind !== undefined) return { kind, length };
  }
  return null;
}

/** "can't tell" as "cannot tell", "isn't clear" as "not clear", "isn't" as "n't". */
function uncontracted(phrase: string): string {
  return phrase
    .replace(/^ca(?:n)?n't\b|^couldn't\b|^can not\b|^could not\b/, "cannot")
    .replace(/^\p{L}+n't (?=.)/u, "not ")
    .replace(/^\p{L}*n't$/u, "n't");
}

function forward(text: Terms): Reading[] {
  const { terms, gaps } = text;
  const found: Reading[] = [];
  let state: Reading = AFFIRMED;
  let since = 0; // words since the trigger
  for (let i = 0; i < terms.length; i++) {
    if (ends(text, i, since, state.by)) state = AFFIRMED;
    else if (isOpenList(text, i, state)) state = { ...state, assertion: "doubted" };
    const trigger = triggerAt(text, i);
    if (trigger === null) {
      found.push({ ...state, adjacent: state.assertion !== "affirmed" && since === 0 });
      since++;
      continue;
    }
    for (let j = 0; j < trigger.length; j++) {
      found.push({ ...state, adjacent: state.assertion !== "affirmed" && since === 0 && j === 0 && gaps[i] !== "" });
    }
    if (trigger.kind !== "pass") {
      const by =
        trigger.kind === "deny" && trigger.length > 1 ? terms.slice(i, i + trigger.length).join(" ") : terms[i]!;
      state = { assertion: next(state, trigger.kind, terms[i]!), adjacent: false, by };
      since = 0;
    }
    i += trigger.length - 1;
  }
  return found;
}

/** Two negations that are no list ("not unlikely", "cannot rule out") decide nothing; nor does a denied possibility. */
function next({ assertion, by }: Reading, kind: Kind, trigger: string): Assertion {
  if (kind === "doubt" || assertion === "doubted") return "doubted";
  if (kind === "hedge") return assertion === "denied" ? "doubted" : "possible";
  if (assertion === "possible") return "doubted";
  const goesOn = /^(?:no|nor|neither|none|nothing|without|non)$/.test(trigger) || trigger === by;
  return assertion === "denied" && !goesOn ? "doubted" : "denied";
}

/** Whether what was said before the word at `at` acts no more. */
function ends(text: Terms, at: number, since: number, by: string | null): boolean {
  const { terms, gaps } = text;
  const gap = gaps[at]!;
  if (/[.;!?。\n)|<>]/.test(gap) || breaks(terms, at)) return true;
  if (terms[at] === "and" && since === 0) return true; // "B is incorrect and C is correct"
  if (gap.includes(":")) return since > 1;
  if (terms[at] === "and" && OPENERS.has(terms[at + 1] ?? "") && !triggers(terms[at + 1])) return true;
  if (!/[,、–—]/.test(gap)) return false;
  if (since === 0 || OPENERS.has(terms[at]!)) return true;
  return !goesOnAsList(text, at, EXCLUDES.test(by ?? "")) && !MAY_LIST.has(by ?? "");
}

/** "No effusion, mass": whether the second is denied too, nobody can tell. */
function isOpenList(text: Terms, at: number, { assertion, by }: Reading): boolean {
  return assertion === "denied" && MAY_LIST.has(by ?? "") && /[,、]/.test(text.gaps[at]!) && !goesOnAsList(text, at);
}

const MAY_LIST = setOf("no without neither nor");

function breaks(terms: readonly string[], at: number): boolean {
  const [word = "", after = ""] = [terms[at], terms[at + 1]];
  return BREAKS.has(word) && !(word === "instead" && after === "of") && !(word === "rather" && after === "than");
}

function triggers(word: string | undefined): boolean {
  return word === "no" || word === "neither";
}

const EXCLUDES = /^(?:exclud|rul|eliminat|reject|dismiss|except|apart|aside)/;

/** A comma goes on with a list that "or" or "nor" ends ("no effusion, mass or stone"), "and" too: "excluding A, B and D". */
function goesOnAsList({ terms, gaps }: Terms, from: number, andEnds = false): boolean {
  for (let i = from; i < Math.min(terms.length, from + 16); i++) {
    if (i > from && /[.;:!?。\n<>]/.test(gaps[i]!)) return false;
    if (breaks(terms, i)) return false;
    if (terms[i] === "or" || terms[i] === "nor" || (andEnds && terms[i] === "and")) return true;
  }
  return false;
}

const AUXILIARIES = setOf(
  "is are was were be been being can could cannot does do did has have had will would should must seems seem appears " +
    "appear looks look",
);
const ADVERBS = setOf(
  "also clearly certainly definitely probably therefore thus likely most very a an the be been considered simply just",
);
/** What denies the subject of a sentence when it is said of it. */
const DENIALS = setOf(
  "incorrect wrong false unlikely improbable impossible excluded eliminated rejected absent untrue inaccurate distractor " +
    "hardly no never not least less 错误 错 不对 不正确",
);
/** What leaves the subject of a sentence in doubt. */
const DOUBTS = setOf("doubtful questionable unclear uncertain unknown unproven unconfirmed debatable");
/** What "not" must be followed by to deny a subject without a verb: "pneumonia not seen". */
const PERCEIVED = setOf(
  "seen present visible identified found detected correct right likely possible noted appreciated shown demonstrated true evident " +
    "confirmed proven verified established diagnosed",
);

/** What a predicate says of the words before it: "B is incorrect", "the effusion cannot be excluded", "B: wrong". */
function denySubjects(text: Terms, found: Reading[]): void {
  const { terms, gaps } = text;
  let start = 0;
  let listed = 0; // where the list of subjects that a comma has parted begins
  for (let i = 0; i < terms.length; i++) {
    const isVerdict = isApposed(text, i);
    const begins = /[.;,!?。\n(<>]/.test(gaps[i]!) || breaks(terms, i) || RELATIVES.has(terms[i]!);
    if (begins && !isVerdict && !takesSubjectBack(text, i)) {
      if (!isListItem(text, start, i)) listed = i;
      start = i;
    }
    const assertion = isVerdict ? verdictOf(terms[i]!) : i > start ? predicateAt(text, i) : null;
    if (assertion === null) continue;
    const isPlural = /^(?:are|were)/.test(terms[i]!);
    const from = isPlural ? Math.min(listed, start) : start;
    for (let j = i - 1; j >= from && !(terms[j] === "and" && !isPlural); j--) {
      if (found[j]!.assertion === "denied" || found[j]!.assertion === "doubted") continue;
      found[j] = { assertion, adjacent: false, by: terms[i]! };
    }
    start = i + 1;
    listed = start;
  }
}

/** Whether what stands from `start` to a comma at `at` is an item of a list, and no statement: "A, B and C are wrong". */
function isListItem({ terms, gaps }: Terms, start: number, at: number): boolean {
  if (gaps[at]!.trim() !== "," || at - start > 5) return false;
  return terms.slice(start, at).every((word) => !AUXILIARIES.has(word));
}

/** "… was suspected but not confirmed": the denial is of the subject before it. */
function takesSubjectBack({ terms }: Terms, at: number): boolean {
  return terms[at] === "but" && terms[at + 1] === "not" && PERCEIVED.has(terms[at + 2] ?? "");
}

function verdictOf(word: string): Assertion {
  return DOUBTS.has(word) ? "doubted" : "denied";
}

const RELATIVES = setOf("which that where who as");

/** "B: wrong", "B (incorrect)", "B? No." */
function isApposed(text: Terms, at: number): boolean {
  const word = text.terms[at]!;
  return (
    at > 0 &&
    /^\s?[:：(?=–—-]/.test(text.gaps[at]!) &&
    (DENIALS.has(word) || DOUBTS.has(word) || word === "none") &&
    isLast(text, at)
  );
}

/** Whether nothing of the same statement follows. */
function isLast({ terms, gaps }: Terms, at: number): boolean {
  return at + 1 >= terms.length || /[.;,!?。\n)\]<>]/.test(gaps[at + 1]!) || breaks(terms, at + 1);
}

function predicateAt(text: Terms, at: number): Assertion | null {
  const { terms, gaps } = text;
  const word = terms[at]!;
  if (word === "not" && PERCEIVED.has(terms[at + 1] ?? "") && isLast(text, at + 1)) return "denied";
  if (/^(?:no|not)$/.test(word) && isLast(text, at)) return "denied";
  if (/^(?:incorrect|wrong|absent|excluded|unlikely)$/.test(word) && isLast(text, at) && !isPredicate(terms[at - 1]!)) {
    return "denied";
  }
  const isNegated = word.endsWith("n't") || word === "cannot";
  if (!isNegated && !AUXILIARIES.has(word)) return null;
  let count = isNegated ? 1 : 0;
  for (let i = at + 1; i < Math.min(terms.length, at + 8) && gaps[i]!.trim() === ""; i++) {
    if (terms[i] === "not" && /^(?:only|just|merely|simply)$/.test(terms[i + 1] ?? "")) return null;
    if (DOUBTS.has(terms[i]!)) return "doubted";
    if (DENIALS.has(terms[i]!) || (terms[i] === "ruled" && terms[i + 1] === "out")) count++;
    else if (!ADVERBS.has(terms[i]!) && !AUXILIARIES.has(terms[i]!)) break;
  }
  return count === 0 ? null : count === 1 ? "denied" : "doubted";
}

function isPredicate(word: string): boolean {
  return AUXILIARIES.has(word) || ADVERBS.has(word) || word === "not" || word === "or";
}
