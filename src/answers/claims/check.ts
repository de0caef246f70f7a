/** Checks claims against what is known of an image: each is true, false, or beyond what the facts can tell. */
import { elements } from "../concepts/match.ts";
import type { Vocabulary } from "../concepts/vocabulary.ts";
import type { FindingFacts, ImageFacts } from "./facts.ts";
import { meaningOf, PLACES, regionOf } from "./meaning.ts";
import { hasChanged, hasValue, measures } from "./measures.ts";
import { type Claim, parseClaims } from "./parse.ts";

export interface CheckedClaim {
  readonly claim: Claim;
  /** Null: the facts cannot tell. */
  readonly verdict: boolean | null;
}

/** The claims of a text with their verdicts, in the order of the text. */
export function checkClaims(text: string, facts: ImageFacts, vocabulary: Vocabulary): readonly CheckedClaim[] {
  return parseClaims(text, vocabulary).map((claim) => ({ claim, verdict: verdictOf(claim, facts) }));
}

/** Whether a claim holds. The list of findings is complete: what is not on it is not there. */
export function verdictOf(claim: Claim, known: ImageFacts): boolean | null {
  if (claim.earlier && known.earlier === undefined) return null;
  const facts = claim.earlier ? { ...known, findings: known.earlier!.findings } : known;
  const { concept, side } = claim;
  switch (claim.kind) {
    case "modality":
    case "plane":
      return imageIs(concept, facts);
    case "organ": {
      if (facts.anatomy?.includes(concept)) return true;
      const region = regionOf(concept);
      return region === undefined ? null : region === facts.organ;
    }
    case "finding":
      return isThere(claim, facts);
    case "side": {
      const known = named(concept, facts).filter((finding) => finding.side !== undefined);
      if (known.some((finding) => finding.side === side)) return true;
      const untold = known.length === 0 && named(concept, facts).length > 0;
      return untold || isOpen(concept, facts) ? null : false;
    }
    case "location": {
      const here = named(concept, facts);
      if (here.some((finding) => finding.place === PLACES.get(claim.place!) && agrees(finding, side))) return true;
      const untold = here.filter(({ place }) => place === undefined);
      if (here.length > 0 && untold.length === here.length) return null;
      return here.length === 0 && isOpen(concept, facts) ? null : false;
    }
    case "count": {
      if (isOpen(concept, facts)) return null;
      const here = named(concept, facts).filter(
        (finding) => isInPlace(finding, claim.place, facts) && agrees(finding, side),
      );
      return claim.count === "many" ? here.length > 1 : here.length === claim.count;
    }
    case "size": {
      const sized = named(concept, facts).filter(({ radius }) => radius !== undefined);
      if (sized.length < 2) return isOpen(concept, facts) ? null : false;
      return sized.reduce((one, other) => (other.radius! > one.radius! ? other : one)).side === side;
    }
    case "measure":
      if (isOpen(concept, facts)) return null;
      return measures(claim.measure!, meant(claim, facts));
    case "change": {
      if (known.earlier === undefined) return null;
      return hasChanged(claim.change!, meant(claim, known), meant(claim, { ...known, ...known.earlier }));
    }
    case "value":
      return hasValue(concept, claim.value!, facts);
    case "negation": {
      const isImage = imageIs(concept, facts);
      if (isImage !== null) return !isImage;
      const there = isThere(claim, facts);
      return there === null ? null : !there;
    }
  }
}

/** Whether the image is of that modality, sequence or plane; null for other concepts and for what no fact says. */
function imageIs(concept: string, { modality, plane, sequence }: ImageFacts): boolean | null {
  if (MODALITIES.has(concept)) return concept === modality;
  if (SEQUENCES.has(concept)) return modality !== "mri" ? false : sequence === undefined ? null : concept === sequence;
  if (!concept.endsWith(" plane")) return null;
  return plane === undefined ? null : concept === `${plane} plane`;
}

const MODALITIES: ReadonlySet<string> = new Set([
  "x-ray",
  "ct",
  "mri",
  "ultrasound",
  "pet",
  "mammography",
  "angiography",
]);
const SEQUENCES: ReadonlySet<string> = new Set(["t1", "t2", "flair", "dwi"]);

/** Whether a finding of that name is there, on the claim's side and in its organ where it names them. */
function isThere({ concept, side, place }: Claim, facts: ImageFacts): boolean | null {
  const here = facts.findings.filter((finding) => isInPlace(finding, place, facts) && agrees(finding, side));
  if (concept === "abnormality") return here.length > 0;
  if (here.some(({ finding }) => meaningOf(finding).is.includes(concept))) return true;
  return here.some(({ finding }) => meaningOf(finding).open.includes(concept)) ? null : false;
}

function isInPlace(finding: FindingFacts, place: string | undefined, facts: ImageFacts): boolean {
  if (place === undefined) return true;
  return (
    meaningOf(finding.finding).organs.includes(place) || finding.place === PLACES.get(place) || place === facts.organ
  );
}

function named(concept: string, { findings }: ImageFacts): readonly FindingFacts[] {
  if (concept === "abnormality") return findings;
  return findings.filter(({ finding }) => meaningOf(finding).is.includes(concept));
}

/** The findings of the claim's name, side and place. */
function meant({ concept, side, place }: Claim, facts: ImageFacts): readonly FindingFacts[] {
  return named(concept, facts).filter((finding) => isInPlace(finding, place, facts) && agrees(finding, side));
}

/** Whether the concept is only a possible reading of what is there. */
function isOpen(concept: string, facts: ImageFacts): boolean {
  const open = facts.findings.some(({ finding }) => meaningOf(finding).open.includes(concept));
  return open && named(concept, facts).length === 0;
}

function agrees(finding: FindingFacts, side: Claim["side"]): boolean {
  return side === undefined || finding.side === undefined || finding.side === side;
}

export interface FactScore {
  readonly claims: number;
  readonly right: number;
  readonly wrong: number;
  /** Right among right and wrong; null without either. */
  readonly precision: number | null;
  /** Share of the image's facts (what it is, each finding with its side and place) that are said; null without facts. */
  readonly recall: number | null;
  /** Findings that are said to be there, and those of them that are not. */
  readonly asserted: number;
  readonly invented: number;
  /** Share of asserted findings that are not there; null where none is asserted. */
  readonly hallucination: number | null;
}

/** How a text does against the facts of its image. */
export function scoreFacts(checked: readonly CheckedClaim[], facts: ImageFacts): FactScore {
  const count = (list: readonly CheckedClaim[], verdict: boolean) => list.filter((c) => c.verdict === verdict).length;
  const [right, wrong] = [count(checked, true), count(checked, false)];
  const asserted = checked.filter(({ claim }) => claim.kind === "finding");
  const [there, invented] = [count(asserted, true), count(asserted, false)];
  const said = checked.filter(({ claim, verdict }) => verdict === true && !claim.earlier).map(({ claim }) => claim);
  const wanted = wantedFacts(facts);
  const met = wanted.filter((isSaid) => said.some(isSaid)).length;
  return {
    claims: checked.length,
    right,
    wrong,
    precision: right + wrong === 0 ? null : right / (right + wrong),
    recall: wanted.length === 0 ? null : met / wanted.length,
    asserted: there + invented,
    invented,
    hallucination: there + invented === 0 ? null : invented / (there + invented),
  };
}

/** One test per fact: whether a true claim says it. */
function wantedFacts(facts: ImageFacts): readonly ((claim: Claim) => boolean)[] {
  const { modality, organ, findings } = facts;
  return [
    ({ kind, concept }) => kind === "modality" && concept === modality,
    ({ kind, concept }) => kind === "organ" && regionOf(concept) === organ,
    ...findings.flatMap(({ finding, side, place }) => {
      const isMeant = ({ concept }: Claim) => meaningOf(finding).is.includes(concept);
      return [
        (claim: Claim) => claim.kind === "finding" && isMeant(claim),
        ...(side === undefined ? [] : [(c: Claim) => c.kind === "side" && c.side === side && isMeant(c)]),
        ...(place === undefined
          ? []
          : [(c: Claim) => c.kind === "location" && PLACES.get(c.place!) === place && isMeant(c)]),
      ];
    }),
  ];
}

/** A claim as one text, for records and comparisons: "side:nodule@left", "location:nodule@left:upper lobe", "count:nodule:2". */
export function claimText({ kind, concept, side, place, count, measure, change, value, earlier }: Claim): string {
  const [about] = elements({ concept, sides: side === undefined ? [] : [side] });
  const size = measure === undefined ? undefined : `${measure.largest ? "largest " : ""}${measure.mm} mm`;
  const when = earlier ? "earlier" : undefined;
  return [when, kind, about, place, count, size, change, value].filter((part) => part !== undefined).join(":");
}
