/**
 * A generated chest-film dataset: unlimited, with exact facts about each image, deterministic in the seed. Everything
 * in a case derives from seed, split and index, so no image or subject is in two splits.
 */
import { MissingSplit } from "../../core/errors.ts";
import { fold, randomKey } from "../../core/random.ts";
import type { AnswerType, Example, Facts } from "../../core/records.ts";
import { type Dataset, requireGenerable, splitName } from "../dataset.ts";
import { type PhantomCase, phantomCase, type QuestionKind } from "./case.ts";
import { type Blob, drawFilm, placeOpacity } from "./chest.ts";
import { views } from "./world/views.ts";

/** Default number of examples of a split; whole blocks of 96, so that every answer is equally frequent. */
const sizes: Readonly<Record<string, number>> = { train: 1920, validation: 480, test: 960 };

const answerTypes: Readonly<Record<QuestionKind, AnswerType>> = {
  presence: "closed",
  side_closed: "closed",
  zone_closed: "closed",
  side: "open",
  zone: "open",
  place: "choice",
};

export const phantom: Dataset = {
  name: "phantom",
  description: "Phantom: generated 112x112 chest films with or without an opacity; every answer can be checked",
  licence: "Apache-2.0 (generated; shows no person)",
  obtain: "nothing to get: it is generated from the seed",
  generated: true,

  async load({ split, limit, seed = 0 }) {
    requireGenerable("phantom", limit);
    const name = splitName(split);
    const size = limit ?? sizes[name];
    if (sizes[name] === undefined || size === undefined) {
      const known = Object.keys(sizes).join(", ");
      throw new MissingSplit(`dataset "phantom": no split "${name}"; the splits are ${known}`);
    }
    return Array.from({ length: size }, (_, index) => phantomExample(seed, name, index));
  },
};

/** The example at an index of a split, from 0 without limit. */
export function phantomExample(seed: number, split: string, index: number): Example {
  const splitKey = randomKey(seed, "phantom", split);
  const shown = phantomCase(splitKey, index);
  const key = fold(splitKey, index);
  const blob = shown.opacity === null ? null : placeOpacity(shown.opacity, key);
  const path = `phantom:chest/${seed}/${split}/${index}`;
  return {
    id: path,
    subjectId: path,
    question: shown.question,
    images: [{ path, pixels: drawFilm(key, blob) }],
    answer: shown.answer,
    answerType: answerTypes[shown.kind],
    choices: shown.choices,
    ...(shown.choices.length > 0 ? { answerIndex: shown.choices.indexOf(shown.answer) } : {}),
    rationale: shown.rationale,
    facts: factsOf(shown, blob),
    meta: { split, modality: "X-Ray", organ: "Chest", question_type: shown.kind },
  };
}

/** The opacity's centre and radius are fractions of the image's width and height, from the top left. */
function factsOf({ opacity }: PhantomCase, blob: Blob | null): Facts {
  const { modality, plane, organ, anatomy } = views.chest_xray;
  const film = { modality, plane, organ, anatomy };
  if (opacity === null || blob === null) return { ...film, finding: "none", findings: [] };
  const { side, zone } = opacity;
  const where = { x: blob.x, y: blob.y, radius: blob.radius };
  const finding = { finding: "opacity", side, place: `${zone} zone`, ...where };
  return { ...film, finding: "opacity", side, zone, ...where, findings: [finding] };
}
