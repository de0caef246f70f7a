/** Scores claim checking on rationales labelled by hand: precision and recall over claims with their verdicts. */
import { checkClaims, claimText } from "../../src/answers/claims/check.ts";
import { readFacts } from "../../src/answers/claims/facts.ts";
import type { Vocabulary } from "../../src/answers/concepts/vocabulary.ts";
import type { Facts } from "../../src/core/records.ts";

/** A rationale about one of the images, with the claims in it that are true and those that are false. */
export interface ClaimCase {
  readonly half: "tuning" | "held_out";
  readonly image: string;
  readonly text: string;
  readonly true: readonly string[];
  readonly false: readonly string[];
}

export interface ClaimFile {
  readonly images: Readonly<Record<string, Facts>>;
  readonly cases: readonly ClaimCase[];
}

export interface ClaimAccuracy {
  readonly rationales: number;
  /** Rationales with exactly the labelled claims. */
  readonly right: number;
  readonly precision: number;
  readonly recall: number;
  /** A line for each rationale that differs. */
  readonly wrong: readonly string[];
}

export function claimAccuracy({ images, cases }: ClaimFile, half: string, vocabulary: Vocabulary): ClaimAccuracy {
  const chosen = cases.filter((one) => one.half === half);
  let [common, found, wanted] = [0, 0, 0];
  const wrong: string[] = [];
  for (const one of chosen) {
    const checked = checkClaims(one.text, readFacts(images[one.image])!, vocabulary);
    const known = checked.filter(({ verdict }) => verdict !== null);
    const given = new Set(known.map(({ claim, verdict }) => `${verdict} ${claimText(claim)}`));
    const labels = new Set([...one.true.map((text) => `true ${text}`), ...one.false.map((text) => `false ${text}`)]);
    const both = [...labels].filter((label) => given.has(label)).length;
    common += both;
    found += given.size;
    wanted += labels.size;
    if (both === given.size && both === labels.size) continue;
    wrong.push(`${one.image} ${one.text} -> [${[...given].join(", ")}], not [${[...labels].join(", ")}]`);
  }
  const right = chosen.length - wrong.length;
  return { rationales: chosen.length, right, precision: common / found, recall: common / wanted, wrong };
}
