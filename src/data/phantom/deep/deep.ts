/**
 * The deep world as a data set: questions that need several steps, about one image or two dates of one patient, each with a
 * reference chain of true statements. Everything in an example derives from seed, split and index, so no image and no
 * patient, at either date, is in two splits.
 */
import * as z from "zod";
import { flag, number } from "../../../core/fields.ts";
import { fold, integer, pick, type RandomKey, randomKey, uniform } from "../../../core/random.ts";
import type { Example } from "../../../core/records.ts";
import { questionAt } from "../world/cells.ts";
import { DIALS_OFF, dialId, patientDials } from "../world/dials/dials.ts";
import { dialledFindings } from "../world/dials/findings.ts";
import { poseOf } from "../world/draw.ts";
import { whatItIs } from "../world/rationale.ts";
import type { Scene } from "../world/scene.ts";
import { SEQUENCES } from "../world/views.ts";
import { findingFacts, generatedSet, imageOf, viewFacts, type WorldOptions } from "../world/world.ts";
import { change, ruleChange } from "./changes.ts";
import { countPlaces, history, largestSize, present } from "./inventory.ts";
import { addOther, findingsAt, type Placed } from "./lesions.ts";
import { pathway } from "./pathway.ts";
import type { DeepCell, DeepQuestion } from "./question.ts";
import { ring } from "./ring.ts";
import { ruleCount, ruleSide, ruleSize, ruleTable } from "./rules.ts";
import { survivalOf, tableOf } from "./table.ts";

/** All kinds of question by their names, in the order in which indices go through them. */
export const deepCells = {
  rule_size: ruleSize,
  rule_count: ruleCount,
  rule_side: ruleSide,
  rule_table: ruleTable,
  change,
  rule_change: ruleChange,
  count_places: countPlaces,
  history,
  largest_size: largestSize,
  present,
  pathway,
  ring,
} as const satisfies Readonly<Record<string, readonly DeepCell[]>>;
export type DeepKind = keyof typeof deepCells;

const KINDS = Object.keys(deepCells) as readonly DeepKind[];

const own = {
  kinds: z
    .array(z.enum(KINDS, { error: `one of ${KINDS.join(", ")}` }), { error: "a list of kinds of question" })
    .min(1, { error: "a list of kinds of question" })
    .nullable()
    .default(null)
    .describe("Only these kinds of question; null is all."),
  hasty: number({ min: 0, max: 1 })
    .nullable()
    .default(null)
    .describe("Share of questions whose rationale is its first statement alone, the kind of image; null is none."),
  hinted: flag().default(true).describe('Whether such questions end in "Answer at once."'),
};

/** What the options say of the questions and of how they are answered. */
interface Asked {
  readonly kinds: readonly DeepKind[] | null;
  readonly hasty: number | null;
  readonly hinted: boolean;
}

export const phantomDeep = generatedSet(
  {
    name: "phantom_deep",
    description:
      "Phantom deep: twelve kinds of question that need several steps: rules, pathways, counts, two dates, exact facts",
  },
  { train: 4000, validation: 500, test: 1000 },
  deepExample,
  own,
);

/** The question at an index of a split, with its key. */
export function deepCase(
  seed: number,
  split: string,
  index: number,
  kinds: readonly DeepKind[] | null = null,
  prior: number | null = null,
): { readonly kind: DeepKind; readonly asked: DeepQuestion; readonly key: RandomKey } {
  const splitKey = randomKey(seed, "phantom_deep", split);
  const chosen: Readonly<Partial<Record<DeepKind, readonly DeepCell[]>>> =
    kinds === null ? deepCells : Object.fromEntries(kinds.map((kind) => [kind, deepCells[kind]]));
  const { kind, asked } = questionAt(chosen as Record<DeepKind, readonly DeepCell[]>, splitKey, index, prior);
  return { kind, asked, key: fold(splitKey, index) };
}

/** The example at an index of a split; null where the dials leave the image out. */
export function deepExample(
  seed: number,
  split: string,
  index: number,
  o: WorldOptions,
  { kinds, hasty, hinted }: Asked = { kinds: null, hasty: null, hinted: true },
): Example | null {
  const dials = { ...(o.dials ?? DIALS_OFF), measured: true };
  const { kind, asked, key } = deepCase(seed, split, index, kinds, dials.question_prior);
  const { view } = asked.lesions;
  if (dials.modality !== null && dials.modality !== view.modality) return null;
  const patient = patientDials(dials, index, key);
  const likely = asked.isOpen && dials.findings !== 0 ? 0.2 + 0.4 * o.difficulty : 0;
  const sequence = view.modality === "mri" ? pick(fold(key, "sequence"), 0, SEQUENCES) : null;
  const visitOf = (name: "earlier" | "now", placed: readonly Placed[]) => {
    const visit = fold(key, name);
    const all = addOther(asked.lesions, placed, likely, visit);
    const findings = findingsAt(view, all, poseOf(visit, o.difficulty), key);
    const scene: Scene = { view, sequence, findings: dialledFindings(findings, dials, patient.contrast, key) };
    return { name, scene, visit, facts: findingFacts(scene, o.difficulty, visit, true) };
  };
  const now = visitOf("now", asked.now);
  const earlier = asked.before === null ? null : visitOf("earlier", asked.before);
  const subjectId = `phantom_deep:${seed}/${split}/${index}`;
  const id = `${subjectId}/${view.name}/${o.difficulty}/${o.imageSize}${dialId(dials)}${kinds === null ? "" : `/${kind}`}`;
  const mm = asked.now.flatMap((placed) => placed.mm ?? []);
  const table = { ...tableOf(mm, key), ...asked.stated };
  const statements = [whatItIs(view.name, view.plane, sequence), ...asked.chain, `The answer is ${asked.answer}.`];
  const dates = datesOf(key);
  const isHasty = hasty !== null && uniform(fold(key, "hasty"), 0) < hasty;
  return {
    id,
    subjectId,
    question: isHasty && hinted ? `${asked.question} Answer at once.` : asked.question,
    images: [...(earlier === null ? [] : [earlier]), now].map(({ name, scene, visit }) =>
      imageOf(`${id}/${name}`, scene, { ...o, dials }, patient, key, visit),
    ),
    answer: asked.answer,
    answerType: asked.answerType,
    choices: asked.choices,
    ...(asked.target === undefined ? {} : { target: asked.target }),
    rationale: isHasty ? statements[0]! : statements.join(" "),
    facts: {
      ...viewFacts(now.scene),
      findings: now.facts,
      ...(earlier === null ? {} : { earlier: { findings: earlier.facts } }),
      table,
      survival: survivalOf(mm, table, key),
      dates: earlier === null ? [dates[1]] : dates,
    },
    meta: {
      split,
      modality: view.modality,
      organ: view.organ,
      question_type: kind,
      chain_length: String(statements.length),
      date: dates[1],
      ...(hasty === null ? {} : { answered: isHasty ? "at once" : "with thought" }),
      sex: table.sex,
      age_group: table.age < 65 ? "below 65" : "65 and above",
      ...patient.meta,
    },
  };
}

/** The earlier and the later date: one to twelve months apart. */
function datesOf(key: RandomKey): readonly [string, string] {
  const own = fold(key, "dates");
  const first = Date.UTC(2024, 0, 1) + 86_400_000 * integer(own, 0, 365);
  const later = first + 86_400_000 * Math.round(30 + 335 * uniform(own, 1));
  return [first, later].map((time) => new Date(time).toISOString().slice(0, 10)) as [string, string];
}
