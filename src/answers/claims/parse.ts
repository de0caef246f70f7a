/** Reads the checkable claims of a rationale, sentence by sentence, from its medical concepts; linear in the text. */
import { findConcepts, type Mention } from "../concepts/find.ts";
import type { Side } from "../concepts/sides.ts";
import { sentences, type Token } from "../concepts/tokens.ts";
import type { Category, Vocabulary } from "../concepts/vocabulary.ts";
import { DESCRIPTIONS, PLACES } from "./meaning.ts";
import { type ChangeName, changeIn, isAboutEarlier, type Measure, measureIn, valueIn } from "./measures.ts";

export const CLAIM_KINDS = [
  ...(["modality", "plane", "organ", "finding", "side", "location"] as const),
  ...(["count", "size", "negation", "measure", "change", "value"] as const),
] as const;
export type ClaimKind = (typeof CLAIM_KINDS)[number];

/** One thing that a text says about its image. */
export interface Claim {
  readonly kind: ClaimKind;
  /** What it is about: a concept of the vocabulary; "abnormality" for any finding; of values the name in the table. */
  readonly concept: string;
  /** Of sides, locations, counts, measures, changes and denials with a side; of sizes the side of the larger one. */
  readonly side?: Side;
  /** Of locations: the place as the vocabulary or, for anterior and posterior, the text names it; of denials and counts an organ. */
  readonly place?: string;
  /** Of counts: the number, or "many" for two or more. */
  readonly count?: number | "many";
  /** Of measures. */
  readonly measure?: Measure;
  /** Of changes since an earlier image. */
  readonly change?: ChangeName;
  /** Of values of the patient's table. */
  readonly value?: number;
  /** It is about an earlier image of the patient. */
  readonly earlier?: true;
  /** UTF-16 offsets in the text. */
  readonly start: number;
  readonly end: number;
}

interface Sentence {
  readonly text: string;
  readonly tokens: readonly Token[];
  readonly mentions: readonly Mention[];
  readonly categoryOf: (mention: Mention) => Category | "side";
}

/** All claims in the order of the text. What the text doubts is no claim. */
export function parseClaims(text: string, vocabulary: Vocabulary): readonly Claim[] {
  const categories = new Map(vocabulary.concepts.map(({ id, category }) => [id, category] as const));
  const categoryOf = (mention: Mention) => categories.get(mention.concept) ?? "side";
  const mentions = findConcepts(text, vocabulary).filter((mention, i, all) => !isProjection(mention, all[i + 1]));
  const claims: Claim[] = [];
  let at = 0;
  let carried: Mention | null = null;
  for (const tokens of sentences(text)) {
    const from = at;
    const end = tokens.at(-1)!.end;
    while (at < mentions.length && mentions[at]!.start < end) at++;
    const sentence = { text, tokens, mentions: mentions.slice(from, at), categoryOf };
    const said = text.slice(tokens[0]!.start, end);
    const made = [...sentenceClaims(sentence, carried), ...valueClaim(said, tokens[0]!.start)];
    claims.push(...(isAboutEarlier(said) ? made.map((claim) => ({ ...claim, earlier: true }) as const) : made));
    carried = sentence.mentions.findLast((m) => isFinding(sentence, m) && m.assertion === "present") ?? carried;
  }
  return claims;
}

/** "Frontal radiograph": how the film was taken, and no lobe of the brain. */
function isProjection({ concept, start, end }: Mention, next: Mention | undefined): boolean {
  return concept === "frontal lobe" && end - start === "frontal".length && FILMED.has(next?.concept ?? "");
}

function isFinding({ categoryOf }: Sentence, mention: Mention): boolean {
  const category = categoryOf(mention);
  return (category === "finding" || category === "disease") && !DESCRIPTIONS.has(mention.concept);
}

function sentenceClaims(sentence: Sentence, carried: Mention | null): readonly Claim[] {
  const { mentions, tokens, categoryOf } = sentence;
  const findings = mentions.filter((mention) => isFinding(sentence, mention));
  const images = mentions.filter((mention) => categoryOf(mention) === "modality").flatMap(imageClaim);
  if (findings.length > 0) {
    const own = findings.flatMap((mention, i) => findingClaims(sentence, mention, findings[i - 1], findings[i + 1]));
    return [...images, ...own, ...sizeClaim(sentence, findings[0]!)];
  }
  const normal = normalClaims(sentence);
  if (normal.length > 0) return [...images, ...normal];
  const goesOn = carried !== null && images.length === 0 && CONTINUES.has(tokens[0]!.word);
  if (goesOn) return [...continuedClaims(sentence, carried), ...sizeClaim(sentence, carried)];
  const organs = mentions.filter((m) => categoryOf(m) === "organ" && m.assertion === "present");
  return [...images, ...organs.map(({ concept, start, end }): Claim => ({ kind: "organ", concept, start, end }))];
}

/** "The CRP is 82." */
function valueClaim(sentence: string, offset: number): readonly Claim[] {
  const found = valueIn(sentence);
  if (found === null) return [];
  const { name, value, start, end } = found;
  return [{ kind: "value", concept: name, value, start: start + offset, end: end + offset }];
}

/** Modality, sequence or plane. */
function imageClaim({ concept, assertion, start, end }: Mention): readonly Claim[] {
  if (assertion === "uncertain" || / view$/.test(concept)) return [];
  if (assertion === "absent") return [{ kind: "negation", concept, start, end }];
  return [{ kind: concept.endsWith(" plane") ? "plane" : "modality", concept, start, end }];
}

/** The finding with its side, place and number; a denied one is one claim. */
function findingClaims(sentence: Sentence, mention: Mention, before?: Mention, after?: Mention): readonly Claim[] {
  const { concept, assertion, start, end } = mention;
  if (assertion === "uncertain") return [];
  const organs = organsOf(sentence, mention, before, after);
  const sides = sidesOf(sentence, mention, organs);
  const span = { concept, start, end };
  const oneSide = sides.length === 1 ? { side: sides[0]! } : {};
  const places = placesOf(sentence, organs, mention, before, after);
  const [first] = places;
  const onePlace = first === undefined ? {} : { place: first.place };
  const { from, own } = aroundMention(sentence, before, after);
  const change = changeIn(own, assertion === "absent");
  const changes = change === null ? [] : [{ kind: "change", ...span, ...oneSide, ...onePlace, change } as const];
  if (change === "none" || change === "gone") return changes;
  if (assertion === "absent") return [{ kind: "negation", ...span, ...oneSide, ...onePlace }];
  const count = countOf(sentence, mention);
  const measure = measureIn(own, mention, from);
  return [
    { kind: "finding", ...span },
    ...sides.map((side): Claim => ({ kind: "side", ...span, side })),
    ...places.map((place): Claim => ({ kind: "location", concept, ...oneSide, ...place })),
    ...(count === null ? [] : [{ kind: "count", ...span, count, ...oneSide, ...onePlace } as const]),
    ...(measure === null ? [] : [{ kind: "measure", ...span, ...oneSide, ...onePlace, measure } as const]),
    ...changes,
  ];
}

/** The part of a sentence that lies between the findings before and after one, and where it begins. */
function aroundMention({ text, tokens }: Sentence, before?: Mention, after?: Mention) {
  const from = before?.end ?? tokens[0]!.start;
  return { from, own: text.slice(from, after?.start ?? tokens.at(-1)!.end) };
}

/** Organs that belong to the finding: those up to the next one, or, with none there, those since the last one. */
function organsOf(sentence: Sentence, mention: Mention, before?: Mention, after?: Mention): readonly Mention[] {
  const organs = sentence.mentions.filter((m) => sentence.categoryOf(m) === "organ");
  const behind = organs.filter((m) => m.start >= mention.end && (after === undefined || m.end <= after.start));
  // "Liver lesion": the organ right before the finding is its own, even if another follows.
  const ahead = organs.filter((m) => m.end <= mention.start && (before === undefined || m.start >= before.end));
  const isAttached = ahead.length > 0 && mention.start - ahead.at(-1)!.end <= 1;
  return isAttached || behind.length === 0 ? [...ahead, ...(isAttached ? behind : [])] : behind;
}

function sidesOf({ tokens, mentions }: Sentence, mention: Mention, organs: readonly Mention[]): readonly Side[] {
  if (mention.sides.length > 0) return mention.sides;
  if (mention.concept === "midline shift") {
    const word = tokens.find((token) => SIDED.test(token.word));
    return word === undefined ? [] : [word.word.startsWith("left") ? "left" : "right"];
  }
  const sided = organs.find(({ sides }) => sides.length > 0);
  if (sided !== undefined) return sided.sides;
  // "The left lung shows a nodule in its upper zone": the place belongs to the subject.
  const owner = tokens.some(({ word }) => word === "its")
    ? mentions.findLast((m) => m.end <= mention.start)
    : undefined;
  if (owner !== undefined && owner.sides.length > 0) return owner.sides;
  const alone = mentions.filter(({ concept }) => concept === "left" || concept === "right");
  return alone.length === 1 ? [alone[0]!.concept as Side] : [];
}

type Place = Pick<Claim, "start" | "end"> & { readonly place: string };

function placesOf(
  { tokens }: Sentence,
  organs: readonly Mention[],
  mention: Mention,
  before?: Mention,
  after?: Mention,
): readonly Place[] {
  const named = organs.filter(({ concept }) => PLACES.has(concept));
  if (named.length > 0) return named.map(({ concept, start, end }) => ({ place: concept, start, end }));
  const [from, to] = [before?.end ?? 0, after?.start ?? Number.POSITIVE_INFINITY];
  const near = tokens.filter(
    ({ start, end }) => start >= from && end <= to && (start >= mention.end || end <= mention.start),
  );
  return near.flatMap(({ word, start, end }) => {
    const place = DIRECTIONS.get(word);
    return place === undefined ? [] : [{ place, start, end }];
  });
}

/** "Two nodules", "a single nodule", "nodules: 3", "the number of nodules is three". */
function countOf({ tokens }: Sentence, { start, end }: Mention): number | "many" | null {
  const first = tokens.findIndex((token) => token.end > start);
  for (let i = first - 1; i >= Math.max(0, first - 3) && !tokens[i + 1]!.afterComma; i--) {
    const count = NUMBERS.get(tokens[i]!.word);
    if (count !== undefined) return tokens[i + 1]!.word === "of" ? null : count;
    if (NO_COUNT.has(tokens[i]!.word)) break;
  }
  const next = tokens.findIndex((token) => token.start >= end);
  if (next < 0 || !(tokens[next]!.afterComma || /^(?:is|are|equals|number|count)$/.test(tokens[next]!.word)))
    return null;
  const after = tokens.slice(next, next + 3).find(({ word }) => NUMBERS.has(word));
  return after === undefined ? null : NUMBERS.get(after.word)!;
}

/** "The nodule on the left is larger", "the larger nodule is on the right", "the left one is smaller". */
function sizeClaim({ tokens }: Sentence, { concept }: Mention): readonly Claim[] {
  const at = tokens.findIndex(({ word }) => LARGER.has(word) || SMALLER.has(word));
  if (at < 0 || tokens.some(({ word }) => word === "not" || word === "neither")) return [];
  const before = tokens.slice(0, at).findLast(({ word }) => SIDED.test(word));
  const word = before ?? tokens.slice(at).find((token) => SIDED.test(token.word));
  if (word === undefined) return [];
  const isLeft = word.word.startsWith("left") === LARGER.has(tokens[at]!.word);
  return [{ kind: "size", concept, side: isLeft ? "left" : "right", start: tokens[at]!.start, end: tokens[at]!.end }];
}

/** "The lungs are clear", "the heart is normal", "no abnormality": nothing is there. */
function normalClaims({ tokens, mentions, categoryOf }: Sentence): readonly Claim[] {
  const heart = mentions.find(({ concept }) => concept === "heart");
  const size = tokens.find(({ word }, i) => word === "enlarged" && tokens[i - 1]?.word === "not");
  if (heart !== undefined && size !== undefined) {
    return [{ kind: "negation", concept: "cardiomegaly", start: heart.start, end: size.end }];
  }
  const said = mentions.find(({ concept }) => concept === "normal" || concept === "abnormality");
  const clear = tokens.find(({ word }) => word === "clear");
  const span = said ?? clear;
  if (span === undefined || said?.assertion === "uncertain") return [];
  const { start, end } = span;
  const denies = tokens.some(({ word }) => word === "not" || word === "no");
  const isFine = said?.concept === "abnormality" ? said.assertion === "absent" : !denies;
  const organs = mentions.filter((m) => categoryOf(m) === "organ");
  const [organ] = organs;
  const side = organ?.sides.length === 1 ? { side: organ.sides[0]! } : {};
  const where = { ...(organ === undefined ? {} : { place: organ.concept }), ...side };
  return [{ kind: isFine ? "negation" : "finding", concept: "abnormality", ...where, start, end }];
}

/** "It lies in the left upper lobe": more about the finding of the sentence before. */
function continuedClaims({ mentions, categoryOf, tokens }: Sentence, { concept }: Mention): readonly Claim[] {
  const claims: Claim[] = [];
  for (const mention of mentions) {
    if (mention.assertion !== "present") continue;
    const { start, end } = mention;
    const category = categoryOf(mention);
    const sides = category === "side" ? [mention.concept as Side] : mention.sides;
    for (const side of sides) claims.push({ kind: "side", concept, side, start, end });
    const oneSide = sides.length === 1 ? { side: sides[0]! } : {};
    if (category === "organ" && PLACES.has(mention.concept)) {
      claims.push({ kind: "location", concept, place: mention.concept, ...oneSide, start, end });
    }
  }
  for (const { word, start, end } of tokens) {
    const place = DIRECTIONS.get(word);
    if (place !== undefined) claims.push({ kind: "location", concept, place, start, end });
  }
  return claims;
}

const set = (words: string): ReadonlySet<string> => new Set(words.split(" "));
const CONTINUES = set("it this that they these both one");
const FILMED = set("x-ray chest");
const LARGER = set("larger bigger largest biggest greater");
const SMALLER = set("smaller smallest");
const NO_COUNT = set("in on of and or the with no is are");
const SIDED = /^(?:left|right)(?:wards?|sided)?$/;
const DIRECTIONS: ReadonlyMap<string, string> = new Map([
  ["anterior", "anterior"],
  ["anteriorly", "anterior"],
  ["posterior", "posterior"],
  ["posteriorly", "posterior"],
]);
const NUMBERS: ReadonlyMap<string, number | "many"> = new Map<string, number | "many">([
  ...["one", "two", "three", "four", "five", "six"].flatMap((word, i): [string, number][] => [
    [word, i + 1],
    [String(i + 1), i + 1],
  ]),
  ["single", 1],
  ["solitary", 1],
  ["multiple", "many"],
  ["several", "many"],
  ["many", "many"],
  ["numerous", "many"],
]);
