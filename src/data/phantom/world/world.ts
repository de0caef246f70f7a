/**
 * The phantom world as a data set: generated radiographs, CT and MR slices with exactly known facts. Everything in an
 * example derives from seed, split and index, so no image or subject is in two splits.
 */
import * as z from "zod";
import { UserError } from "../../../core/errors.ts";
import { number } from "../../../core/fields.ts";
import { fold, integer, type RandomKey, randomKey, uniform } from "../../../core/random.ts";
import type { Example, Facts } from "../../../core/records.ts";
import { type Dataset, splitName, withOptions } from "../../dataset.ts";
import { imagePoint } from "./canvas.ts";
import { drawScene, poseOf } from "./draw.ts";
import { type Question, questionAt } from "./questions.ts";
import { rationaleOf } from "./rationale.ts";
import { pickKinds, placeFindings, type Scene } from "./scene.ts";
import { SEQUENCES, views } from "./views.ts";

/** Default number of examples of a split; whole cycles of the thirteen kinds of question. */
const sizes: Readonly<Record<string, number>> = { train: 3900, validation: 520, test: 1040 };

export interface WorldOptions {
  /** 0: large findings, little noise, no extra findings; 1: small and faint ones, with others that resemble them. */
  readonly difficulty: number;
  /** Side length of the image in pixels. */
  readonly imageSize: number;
}

const IMAGE_SIZES = [112, 224] as const;
const DEFAULT_DIFFICULTY = 0.4;

/** Options of all phantom-world data sets; the defaults behind null are 0.4, and 112. */
const options = {
  difficulty: number({ min: 0, max: 1 }).nullable().default(null).describe("0 is easiest, 1 hardest; null is 0.4."),
  image_size: z
    .literal(IMAGE_SIZES, { error: IMAGE_SIZES.join(" or ") })
    .nullable()
    .default(null)
    .describe("Side length, 112 or 224 pixels; null is 112."),
};

/** A case: the question at an index of a split, its scene, and the key of everything random. */
export type WorldCase = ReturnType<typeof worldCase>;

export const phantomWorld = worldDataset(
  {
    name: "phantom_world",
    stream: null,
    description:
      "Phantom world: generated chest films, chest and abdominal CT, brain MR; 13 kinds of question, exact facts",
  },
  exampleOf,
);

/**
 * A data set of the world's cases, converted to examples by `make`. Sets with their own `stream` share no image with
 * those of another stream, or of none.
 */
export function worldDataset(
  { name, stream, description }: Pick<Dataset, "name" | "description"> & { readonly stream: string | null },
  make: (drawn: WorldCase, options: WorldOptions) => Example,
): Dataset {
  return withOptions(options, {
    name,
    description,
    licence: "Apache-2.0 (generated; shows no person)",
    obtain: "nothing to get: it is generated from the seed",
    generated: true,
    async load(o, own) {
      const { limit, seed = 0 } = o;
      const difficulty = own.difficulty ?? DEFAULT_DIFFICULTY;
      const imageSize = own.image_size ?? IMAGE_SIZES[0];
      const split = splitName(o.split);
      const size = limit ?? sizes[split];
      if (sizes[split] === undefined || size === undefined) {
        const known = Object.keys(sizes).join(", ");
        throw new UserError(`dataset "${name}": no split "${split}"; the splits are ${known}`);
      }
      const cases = stream === null ? split : `${split} ${stream}`;
      return Array.from({ length: size }, (_, index) => {
        const example = make(worldCase(seed, cases, index, difficulty), { difficulty, imageSize });
        return { ...example, meta: { ...example.meta, split } };
      });
    },
  });
}

/** The example at an index of a split, from 0 without limit. */
export function worldExample(seed: number, split: string, index: number, options: WorldOptions): Example {
  return exampleOf(worldCase(seed, split, index, options.difficulty), options);
}

/** A case with its image drawn. */
export function exampleOf(drawn: WorldCase, { difficulty, imageSize }: WorldOptions): Example {
  const { seed, split, index, kind, asked, scene, key } = drawn;
  const path = `phantom_world:${scene.view.name}/${seed}/${split}/${index}/${difficulty}/${imageSize}`;
  return {
    id: path,
    subjectId: `phantom_world:${seed}/${split}/${index}`,
    question: asked.question,
    images: [{ path, pixels: drawScene(scene, imageSize, difficulty, key) }],
    answer: asked.answer,
    answerType: asked.answerType,
    choices: asked.choices,
    ...(asked.answerType === "choice" ? { answerIndex: asked.choices.indexOf(asked.answer) } : {}),
    rationale: rationaleOf(scene, asked.about),
    facts: factsOf(scene, difficulty, key),
    meta: { split, modality: scene.view.modality, organ: scene.view.organ, question_type: kind },
  };
}

/** The question of an example and its scene, without the image. */
export function worldCase(seed: number, split: string, index: number, difficulty: number) {
  const splitKey = randomKey(seed, "phantom_world", split);
  const key = fold(splitKey, index);
  const { kind, asked } = questionAt(splitKey, index);
  return { seed, split, index, kind, asked, scene: sceneOf(asked, difficulty, key), key };
}

/** The view and all findings; harder scenes have more findings that were not asked for. */
function sceneOf(asked: Question, difficulty: number, key: RandomKey): Scene {
  const own = fold(key, "scene");
  const view = views[asked.views[integer(own, 0, asked.views.length)]!];
  const sequence = view.modality === "mri" ? (asked.sequence ?? SEQUENCES[integer(own, 1, SEQUENCES.length)]!) : null;
  const { excluded, wanted, about } = asked;
  const wantedNames = wanted.map(({ kind }) => kind.name);
  const free = excluded === "all" ? [] : view.findings.filter((k) => ![...excluded, ...wantedNames].includes(k.name));
  // A "no" without any finding would be obvious, so most of them show findings that resemble the one asked about.
  const asksAbsent = about !== null && !wantedNames.includes(about);
  const likely = asksAbsent ? 0.5 + 0.4 * difficulty : 0.15 + 0.5 * difficulty;
  const resembling = free.filter(({ resembles }) => about !== null && resembles.includes(about));
  const from = asksAbsent && uniform(own, 2) < 0.6 && resembling.length > 0 ? resembling : free;
  const extra = uniform(own, 3) < likely ? pickKinds(from, 1, fold(own, "extra")) : [];
  return { view, sequence, findings: placeFindings(view, wanted, extra, difficulty, own) };
}

/**
 * The facts for checking claims: the image as a whole, and each finding with its position as fractions of the image.
 */
function factsOf({ view, sequence, findings }: Scene, difficulty: number, key: RandomKey): Facts {
  const pose = poseOf(key, difficulty);
  return {
    modality: view.modality,
    plane: view.plane,
    organ: view.organ,
    ...(sequence === null ? {} : { sequence }),
    anatomy: view.anatomy,
    findings: findings.map(({ kind, site, u, v, radius }) => ({
      finding: kind.name,
      ...(site.side === null ? {} : { side: site.side }),
      ...(site.place === null
        ? {}
        : { place: site.place, ...imagePoint(pose, u, v), radius: (radius * pose.width) / 2 }),
    })),
  };
}
