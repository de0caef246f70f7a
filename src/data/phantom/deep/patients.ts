/**
 * Patients with an image, a table and outcomes: a size and a survival time to predict as numbers, and a deterioration that
 * table and image predict together. Unlike the questions of `phantom_deep`, the table tells of the outcome by design.
 */
import * as z from "zod";
import { flag, number } from "../../../core/fields.ts";
import { fold, integer, pick, randomKey } from "../../../core/random.ts";
import type { Example, NumericTarget } from "../../../core/records.ts";
import { DIALS_OFF, dialId, patientDials } from "../world/dials/dials.ts";
import { dialledFindings } from "../world/dials/findings.ts";
import { poseOf } from "../world/draw.ts";
import { whatItIs } from "../world/rationale.ts";
import type { Scene } from "../world/scene.ts";
import { SEQUENCES } from "../world/views.ts";
import { findingFacts, generatedSet, imageOf, viewFacts, type WorldOptions } from "../world/world.ts";
import {
  addOther,
  DEEP_VIEWS,
  findingsAt,
  LEAST_MM,
  type Lesions,
  lesionsOf,
  MOST_MM,
  millimetres,
  type Placed,
  shuffledSites,
} from "./lesions.ts";
import { inReadingOrder, largestOf, largestText, lesionText } from "./question.ts";
import { outcomeOf, type PatientTable, type Survival, survivalOf, tableOf, tableText } from "./table.ts";

const ASKED = ["size", "survival", "outcome"] as const;

const own = {
  ask: z
    .enum(ASKED, { error: ASKED.join(", ") })
    .nullable()
    .default(null)
    .describe("Only this question; null is all three in turn."),
  linear_share: number({ min: 0, max: 1 })
    .default(0.5)
    .describe("Share of the outcome's score that is linear in the table; the rest is in the image."),
  table_in_question: flag()
    .default(true)
    .describe("Questions of survival and outcome begin with the table; otherwise it is in facts alone."),
};

interface Patient {
  readonly lesions: Lesions;
  /** Diameters in millimetres. */
  readonly mm: readonly number[];
  readonly table: PatientTable;
  readonly survival: Survival;
}

export const phantomPatients = generatedSet(
  {
    name: "phantom_patients",
    description: "Phantom patients: an image, a table (age, sex, five laboratory values), sizes, survival, an outcome",
  },
  { train: 3900, validation: 520, test: 1040 },
  patientExample,
  own,
);

/** The example at an index of a split; null where the dials leave the image out. */
export function patientExample(
  seed: number,
  split: string,
  index: number,
  o: WorldOptions,
  { ask, linear_share, table_in_question }: z.output<z.ZodObject<typeof own>> = z.object(own).parse({}),
): Example | null {
  const key = fold(randomKey(seed, "phantom_patients", split), index);
  const dials = { ...(o.dials ?? DIALS_OFF), measured: true };
  const lesions = lesionsOf[pick(fold(key, "view"), 0, DEEP_VIEWS)];
  const { view, kind } = lesions;
  if (dials.modality !== null && dials.modality !== view.modality) return null;
  const counted = fold(key, "lesions");
  const most = Math.min(dials.findings ?? kind.sites.length, kind.sites.length);
  const sites = shuffledSites(lesions, fold(key, "sites")).slice(0, integer(counted, 0, most + 1));
  const placed = sites.map((site, i) => ({ kind, site, mm: millimetres(counted, i + 1, LEAST_MM, MOST_MM) }));
  const mm = placed.map((one) => one.mm);
  const table = tableOf(mm, key);
  const survival = survivalOf(mm, table, key);
  const patient = patientDials(dials, index, key);
  const all = dials.findings === null ? addOther(lesions, placed, 0.3, key) : placed;
  const found = findingsAt(view, all, poseOf(key, o.difficulty), key);
  const sequence = view.modality === "mri" ? pick(fold(key, "sequence"), 0, SEQUENCES) : null;
  const scene: Scene = { view, sequence, findings: dialledFindings(found, dials, patient.contrast, key) };
  const subjectId = `phantom_patients:${seed}/${split}/${index}`;
  const path = `${subjectId}/${view.name}/${o.difficulty}/${o.imageSize}${dialId(dials)}`;
  const asked = ask ?? ASKED[index % ASKED.length]!;
  const deteriorates = outcomeOf(mm, table, linear_share, key);
  return {
    id: `${path}/${asked}`,
    subjectId,
    images: [imageOf(path, scene, { ...o, dials }, patient, key)],
    choices: [],
    ...questionOf(asked, { lesions, mm, table, survival }, deteriorates, table_in_question),
    rationale: rationaleOf(lesions, placed, scene, asked === "size" ? null : table),
    facts: {
      ...viewFacts(scene),
      findings: findingFacts(scene, o.difficulty, key, true),
      table,
      survival,
      outcome: deteriorates,
    },
    meta: {
      split,
      modality: view.modality,
      organ: view.organ,
      question_type: asked,
      sex: table.sex,
      age_group: table.age < 65 ? "below 65" : "65 and above",
      event: survival.event ? "death" : "censored",
      ...patient.meta,
    },
  };
}

/** What there is to see, and the table's age where it matters: all of it true. The outcome itself is not told by any rule. */
function rationaleOf(lesions: Lesions, placed: readonly Placed[], scene: Scene, table: PatientTable | null): string {
  const { view, sequence } = scene;
  const seen = inReadingOrder(placed).map((one) => lesionText(lesions, one));
  const largest = largestOf(placed);
  return [
    whatItIs(view.name, view.plane, sequence),
    ...seen,
    largest === 0 ? `There is no ${lesions.noun}.` : largestText(lesions, largest),
    ...(table === null ? [] : [`The patient is ${table.age} years old.`]),
  ].join(" ");
}

function questionOf(
  asked: (typeof ASKED)[number],
  { lesions, mm, table, survival }: Patient,
  deteriorates: boolean,
  withTable: boolean,
): Pick<Example, "question" | "answer" | "answerType" | "target"> {
  const numeric = (question: string, target: NumericTarget) => {
    return { question, answer: `${target.value} ${target.unit}`, answerType: "numeric", target } as const;
  };
  const told = withTable ? `${tableText(table)}. ` : "";
  switch (asked) {
    case "size": {
      const question = `What does the largest ${lesions.noun} measure in mm? Answer 0 if there is none.`;
      return numeric(question, { value: Math.max(0, ...mm), unit: "mm", tolerance: 4 });
    }
    case "survival": {
      const { months, event } = survival;
      const question = `${told}For how many months will the patient live?`;
      return numeric(question, { value: months, unit: "months", tolerance: 4, event });
    }
    case "outcome": {
      const question = `${told}Will the patient deteriorate?`;
      return { question, answer: deteriorates ? "yes" : "no", answerType: "closed" };
    }
  }
}
