/**
 * The phantom world as a data set: generated radiographs, CT and MR slices with exactly known facts. Everything in an
 * example derives from seed, split and index, so no image or subject is in two splits.
 */
import * as z from "zod";
import { MissingSplit } from "../../../core/errors.ts";
import { number } from "../../../core/fields.ts";
import { fold, integer, type RandomKey, randomKey, uniform } from "../../../core/random.ts";
import type { Example, Facts, ImageRef } from "../../../core/records.ts";
import { type Dataset, requireGenerable, splitName, withOptions } from "../../dataset.ts";
import { imagePoint } from "./canvas.ts";
import { questionAt } from "./cells.ts";
import {
  DIALS_OFF,
  type Dials,
  dialId,
  dialOptions,
  isOfSite,
  type PatientDials,
  patientDials,
} from "./dials/dials.ts";
import { dialledFindings, extraKinds, withSmallNodules } from "./dials/findings.ts";
import { ORIGINAL_SIZE, shrunk } from "./dials/resolution.ts";
import { atSite } from "./dials/site.ts";
import { drawScene, poseOf } from "./draw.ts";
import { cells, type Question } from "./questions.ts";
import { rationaleOf } from "./rationale.ts";
import { type Finding, pickKinds, placeFindings, type Scene } from "./scene.ts";
import { SEQUENCES, type View, views } from "./views.ts";

/** Default number of examples of a split; whole cycles of the thirteen kinds of question. */
const sizes: Readonly<Record<string, number>> = { train: 3900, validation: 520, test: 1040 };

export interface WorldOptions {
  /** 0: large findings, little noise, no extra findings; 1: small and faint ones, with others that resemble them. */
  readonly difficulty: number;
  /** Side length of the image in pixels. */
  readonly imageSize: number;
  /** Default: all off. */
  readonly dials?: Dials;
}

const IMAGE_SIZES = [112, 224, 448] as const;
const DEFAULT_DIFFICULTY = 0.4;

/** Options of all phantom-world data sets; the defaults behind null are 0.4, and 112. */
export const worldOptions = {
  difficulty: number({ min: 0, max: 1 }).nullable().default(null).describe("0 is easiest, 1 hardest; null is 0.4."),
  image_size: z
    .literal(IMAGE_SIZES, { error: "112, 224 or 448" })
    .nullable()
    .default(null)
    .describe("Side length, 112, 224 or 448 pixels; null is 112."),
  ...dialOptions,
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
  const makeAt = (seed: number, split: string, index: number, options: WorldOptions) => {
    const cases = stream === null ? split : `${split} ${stream}`;
    const drawn = worldCase(seed, cases, index, options.difficulty, options.dials);
    const { modality, organ } = options.dials ?? DIALS_OFF;
    const { view } = drawn.scene;
    const isAsked = (modality === null || view.modality === modality) && (organ === null || view.organ === organ);
    return isAsked ? make(drawn, options) : null;
  };
  return generatedSet({ name, description }, sizes, makeAt, {});
}

/**
 * A generated set with the world's options and its own: the examples that `make` gives for the indices of a split; null
 * leaves an index out.
 */
export function generatedSet<Own extends z.ZodRawShape>(
  about: Pick<Dataset, "name" | "description">,
  splits: Readonly<Record<string, number>>,
  make: (
    seed: number,
    split: string,
    index: number,
    options: WorldOptions,
    own: z.output<z.ZodObject<Own>>,
  ) => Example | null,
  own: Own,
): Dataset {
  return withOptions<z.ZodRawShape>(
    { ...worldOptions, ...own },
    {
      ...about,
      licence: "Apache-2.0 (generated; shows no person)",
      obtain: "nothing to get: it is generated from the seed",
      generated: true,
      async load({ limit, seed = 0, split: asked }, given) {
        const split = splitName(asked);
        requireGenerable(about.name, limit);
        const size = limit ?? splits[split];
        if (splits[split] === undefined || size === undefined) {
          const known = Object.keys(splits).join(", ");
          throw new MissingSplit(`dataset "${about.name}": no split "${split}"; the splits are ${known}`);
        }
        const { difficulty, image_size, ...dials } = z.object(worldOptions).parse(given);
        const o = { difficulty: difficulty ?? DEFAULT_DIFFICULTY, imageSize: image_size ?? IMAGE_SIZES[0], dials };
        const ownGiven = z.object(own).parse(given);
        const examples: Example[] = [];
        for (let index = 0; examples.length < size; index++) {
          const example = isOfSite(dials, index) ? make(seed, split, index, o, ownGiven) : null;
          if (example !== null) examples.push({ ...example, meta: { ...example.meta, split } });
        }
        return examples;
      },
    },
  );
}

/** The example at an index of a split, from 0 without limit. */
export function worldExample(seed: number, split: string, index: number, options: WorldOptions): Example {
  return exampleOf(worldCase(seed, split, index, options.difficulty, options.dials), options);
}

/** A case with its image drawn. */
export function exampleOf(drawn: WorldCase, o: WorldOptions): Example {
  const { seed, split, index, kind, asked, scene, key, patient } = drawn;
  const dials = o.dials ?? DIALS_OFF;
  const path = `phantom_world:${scene.view.name}/${seed}/${split}/${index}/${o.difficulty}/${o.imageSize}${dialId(dials)}`;
  return {
    id: path,
    subjectId: `phantom_world:${seed}/${split}/${index}`,
    question: asked.question,
    images: [imageOf(path, scene, o, patient, key)],
    answer: asked.answer,
    answerType: asked.answerType,
    choices: asked.choices,
    ...(asked.answerType === "choice" ? { answerIndex: asked.choices.indexOf(asked.answer) } : {}),
    rationale: rationaleOf(scene, asked.about),
    facts: { ...viewFacts(scene), findings: findingFacts(scene, o.difficulty, key, dials.measured) },
    meta: { split, modality: scene.view.modality, organ: scene.view.organ, question_type: kind, ...patient.meta },
  };
}

/**
 * The image of a scene as the patient's site gives it, with its original and its spacing where the dials ask for them.
 * Drawn when it is first looked at: most of a set's images never are.
 */
export function imageOf(
  path: string,
  scene: Scene,
  { difficulty, imageSize, dials = DIALS_OFF }: WorldOptions,
  { site }: PatientDials,
  key: RandomKey,
  visit = key,
): ImageRef {
  const image = once(() => {
    const drawn = drawScene(scene, dials.high_resolution ? ORIGINAL_SIZE : imageSize, difficulty, key, visit);
    return site === null ? drawn : atSite(drawn, site, visit);
  });
  const pixels = once(() => (dials.high_resolution ? shrunk(image(), imageSize) : image()));
  const spacing = dials.measured || dials.high_resolution ? { spacing: scene.view.fieldOfView / imageSize } : {};
  const ref = {
    path,
    ...spacing,
    get pixels() {
      return pixels();
    },
  };
  if (!dials.high_resolution) return ref;
  return Object.defineProperty(ref, "original", { enumerable: true, get: image });
}

/** What a function makes, which is called once at most. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** The question of an example and its scene, without the image. */
export function worldCase(seed: number, split: string, index: number, difficulty: number, dials: Dials = DIALS_OFF) {
  const splitKey = randomKey(seed, "phantom_world", split);
  const key = fold(splitKey, index);
  const { kind, asked } = questionAt(cells, splitKey, index, dials.question_prior);
  const patient = patientDials(dials, index, key);
  const drawn = sceneOf(asked, difficulty, dials, key);
  const scene = { ...drawn, findings: dialledFindings(drawn.findings, dials, patient.contrast, key) };
  return { seed, split, index, kind, asked, scene, key, patient };
}

/** The view and all findings; harder scenes have more findings that were not asked for. */
function sceneOf(asked: Question, difficulty: number, dials: Dials, key: RandomKey): Scene {
  const own = fold(key, "scene");
  const view = views[asked.views[integer(own, 0, asked.views.length)]!];
  const sequence = view.modality === "mri" ? (asked.sequence ?? SEQUENCES[integer(own, 1, SEQUENCES.length)]!) : null;
  const { wanted } = asked;
  const extra =
    dials.findings === null
      ? oneMore(asked, view, difficulty, own)
      : extraKinds(notDenied(asked, view), dials.findings - wanted.length, fold(own, "extra"));
  const sized = dials.small_nodules ? withSmallNodules(wanted, poseOf(key, difficulty), own) : wanted;
  const more = extra.map((kind) => ({ kind }));
  const all = dials.small_nodules ? withSmallNodules(more, poseOf(key, difficulty), fold(own, "extra")) : more;
  return { view, sequence, findings: placeFindings(view, sized, all, difficulty, own) };
}

/** Kinds of the view that the question leaves free. */
function notDenied({ excluded, wanted }: Question, view: View) {
  const wantedNames = wanted.map(({ kind }) => kind.name);
  return excluded === "all" ? [] : view.findings.filter((k) => ![...excluded, ...wantedNames].includes(k.name));
}

function oneMore(asked: Question, view: View, difficulty: number, own: RandomKey) {
  const { about, wanted } = asked;
  const free = notDenied(asked, view);
  // A "no" without any finding would be obvious, so most of them show findings that resemble the one asked about.
  const asksAbsent = about !== null && !wanted.some(({ kind }) => kind.name === about);
  const likely = asksAbsent ? 0.5 + 0.4 * difficulty : 0.15 + 0.5 * difficulty;
  const resembling = free.filter(({ resembles }) => about !== null && resembles.includes(about));
  const from = asksAbsent && uniform(own, 2) < 0.6 && resembling.length > 0 ? resembling : free;
  return uniform(own, 3) < likely ? pickKinds(from, 1, fold(own, "extra")) : [];
}

/** What the image as a whole is, for checking claims. */
export function viewFacts({ view, sequence }: Scene): Facts {
  return {
    modality: view.modality,
    plane: view.plane,
    organ: view.organ,
    ...(sequence === null ? {} : { sequence }),
    anatomy: view.anatomy,
  };
}

/** Each finding with its position as fractions of the image; measured ones with their size and density. */
export function findingFacts({ view, findings }: Scene, difficulty: number, visit: RandomKey, measured: boolean) {
  const pose = poseOf(visit, difficulty);
  return findings.map(({ kind, site, u, v, radius, density = 1 }: Finding) => ({
    finding: kind.name,
    ...(site.side === null ? {} : { side: site.side }),
    ...(site.place === null ? {} : { place: site.place, ...imagePoint(pose, u, v), radius: (radius * pose.width) / 2 }),
    ...(measured && site.place !== null ? { size_mm: Math.round(radius * pose.width * view.fieldOfView) } : {}),
    ...(measured ? { density: Number(density.toFixed(2)) } : {}),
  }));
}
