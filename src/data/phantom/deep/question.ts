/** What a question of the deep world is, and the sentences its reference chain is made of. */
import type { AnswerType, NumericTarget } from "../../../core/records.ts";
import type { Asking, Cell } from "../world/cells.ts";
import type { Site } from "../world/views.ts";
import type { Lesions, Placed } from "./lesions.ts";
import { type Lab, labs } from "./table.ts";

/** A question with what the patient's images must show, and how its answer follows. */
export interface DeepQuestion extends Asking {
  readonly answerType: AnswerType;
  readonly choices: readonly string[];
  readonly target?: NumericTarget;
  readonly lesions: Lesions;
  /** What the image shows, or the later of two. */
  readonly now: readonly Placed[];
  /** What the earlier image shows; null where there is one image. */
  readonly before: readonly Placed[] | null;
  /** May a finding that is not asked about be added? */
  readonly isOpen: boolean;
  /** Values of the table that the prompt states: drawn apart from the findings, so that they tell nothing of them. */
  readonly stated: Readonly<Partial<Record<Lab | "age", number>>>;
  /** The reasoning after the kind of image and before the answer, one true statement each. */
  readonly chain: readonly string[];
}

export type DeepCell = Cell<DeepQuestion>;

/** A question of one image whose answer is free text or yes and no. */
export function deepQuestion(
  asked: Asking & Pick<DeepQuestion, "lesions" | "now" | "chain"> & Partial<DeepQuestion>,
): DeepQuestion {
  const answerType = asked.answers.includes("yes") ? "closed" : "open";
  return { answerType, choices: [], before: null, isOpen: true, stated: {}, ...asked };
}

/** What a rule leads to: where its condition holds, and otherwise. */
export const ACTIONS = [
  ["biopsy", "follow-up"],
  ["treatment", "observation"],
  ["referral", "discharge"],
] as const;

const NUMBERS = ["no", "one", "two", "three", "four", "five", "six"];

/** "right upper zone", "left anterior lung", "right frontal lobe". */
export function placeText({ side, place }: Site): string {
  return `${side} ${place === "anterior" || place === "posterior" ? `${place} lung` : place}`;
}

/** "There are three nodules." */
export function countText({ noun, plural }: Lesions, count: number): string {
  return count === 1 ? `There is one ${noun}.` : `There are ${NUMBERS[count]} ${plural}.`;
}

/** "There is a nodule of 14 mm in the right upper zone." */
export function lesionText({ noun, kind }: Lesions, { kind: shown, site, mm }: Placed): string {
  const name = shown === kind ? noun : shown.name;
  const article = /^[aeiou]/.test(name) ? "an" : "a";
  const size = mm === null ? "" : ` of ${mm} mm`;
  return `There is ${article} ${name}${size} in the ${placeText(site)}.`;
}

/** The same of the earlier image. */
export function earlierText(lesions: Lesions, placed: Placed): string {
  const said = lesionText(lesions, placed);
  return `On the earlier image there is${said.slice("There is".length)}`;
}

/** "The largest nodule measures 18 mm." */
export function largestText({ noun }: Lesions, mm: number): string {
  return `The largest ${noun} measures ${mm} mm.`;
}

/** "18 mm is below 22 mm." or "is not below". */
export function limitText(mm: number, limit: number): string {
  return `${mm} mm is ${mm < limit ? "" : "not "}below ${limit} mm.`;
}

/** The step between what is seen and the answer: whether the rule's condition is met. */
export function ruleText(holds: boolean): string {
  return `The rule ${holds ? "holds" : "does not hold"}.`;
}

/** "The CRP is 82." */
export function valueText(lab: Lab | "age", value: number): string {
  return `The ${labName(lab)} is ${value}.`;
}

export function labName(lab: Lab | "age"): string {
  return lab === "age" ? "age" : labs[lab].name;
}

/** Lesions in the order in which a reader goes through an image: right before left, from above. */
export function inReadingOrder(placed: readonly Placed[]): readonly Placed[] {
  const rank = ({ side, v }: Site) => (side === "left" ? 10 : 0) + v;
  return [...placed].sort((a, b) => rank(a.site) - rank(b.site));
}

export function largestOf(placed: readonly Placed[]): number {
  return Math.max(0, ...placed.map(({ mm }) => mm ?? 0));
}
