/**
 * The content and question of a generated case. Every block of 96 cases has each question with each of its answers (and
 * each option letter) equally often, so that a model that ignores the image stays at chance.
 */
import { fold, permutation, type RandomKey } from "../../core/random.ts";

export const SIDES = ["left", "right"] as const;
export const ZONES = ["upper", "lower"] as const;
/** The patient's side: the patient's right lung is on the image's left. */
export type Side = (typeof SIDES)[number];
export type Zone = (typeof ZONES)[number];

export interface Place {
  readonly side: Side;
  readonly zone: Zone;
}

/** The four possible places of an opacity, in the order of the 96-case table. */
export const PLACES: readonly Place[] = SIDES.flatMap((side) => ZONES.map((zone) => ({ side, zone })));

export const QUESTION_KINDS = ["presence", "side_closed", "zone_closed", "side", "zone", "place"] as const;
export type QuestionKind = (typeof QUESTION_KINDS)[number];

/** One case, without its image. */
export interface PhantomCase {
  readonly kind: QuestionKind;
  /** Null: both lungs are clear. */
  readonly opacity: Place | null;
  readonly question: string;
  readonly answer: string;
  /** For the kind `place`: all four places, in this case's order. */
  readonly choices: readonly string[];
  readonly rationale: string;
}

const VARIANTS = 16;
export const BLOCK = QUESTION_KINDS.length * VARIANTS;

/** The case at an index of a split; `splitKey` is derived from seed and split. */
export function phantomCase(splitKey: RandomKey, index: number): PhantomCase {
  const block = Math.floor(index / BLOCK);
  const cell = permutation(fold(fold(splitKey, "block"), block), BLOCK)[index % BLOCK]!;
  const kind = QUESTION_KINDS[Math.floor(cell / VARIANTS)]!;
  return buildCase(kind, cell % VARIANTS, permutation(fold(fold(splitKey, "options"), index), PLACES.length));
}

/** "right upper lung". */
export function placeName({ side, zone }: Place): string {
  return `${side} ${zone} lung`;
}

/** Two bits of the variant encode the opacity's place, the others what is asked about it. */
function buildCase(kind: QuestionKind, variant: number, order: Int32Array): PhantomCase {
  const place = PLACES[variant % 4]!;
  const rest = Math.floor(variant / 4);
  const rationale = `The ${place.side} lung shows an opacity in its ${place.zone} zone.`;
  const shown = { kind, opacity: place, choices: [], rationale };
  if (kind === "presence") {
    const question = "Is there an opacity in the lungs?";
    if (rest % 2 === 0) return { ...shown, question, answer: "yes" };
    return { ...shown, opacity: null, question, answer: "no", rationale: "Both lungs are clear. There is no opacity." };
  }
  if (kind === "side_closed") {
    const asked = SIDES[rest % 2]!;
    return { ...shown, question: `Is the opacity in the ${asked} lung?`, answer: yesNo(asked === place.side) };
  }
  if (kind === "zone_closed") {
    const asked = ZONES[rest % 2]!;
    return { ...shown, question: `Is the opacity in the ${asked} zone?`, answer: yesNo(asked === place.zone) };
  }
  if (kind === "side") return { ...shown, question: "Which lung shows the opacity?", answer: place.side };
  if (kind === "zone") return { ...shown, question: "In which zone is the opacity?", answer: place.zone };
  const others = Array.from(order, (i) => PLACES[i]!).filter((other) => other !== place);
  const choices = others.toSpliced(rest, 0, place).map(placeName);
  return { ...shown, question: "Where is the opacity?", answer: placeName(place), choices };
}

function yesNo(holds: boolean): string {
  return holds ? "yes" : "no";
}
