/** The schema of a study file: arms and seeds, each arm a recipe with changes. */
import * as z from "zod";
import { mapping, nameIn, number, oneOf, oneOrMore, text, whole } from "../core/fields.ts";
import type { Schema } from "../recipes/json-schema.ts";
import { studyMeasures } from "./measures.ts";

const armName = () =>
  z
    .string({ error: "a name of letters, digits, dots, dashes and underscores" })
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, { error: "a name of letters, digits, dots, dashes and underscores" });

const changes = () =>
  z.record(text(), z.unknown(), { error: "a mapping of recipe keys, such as stages.0.steps, to values" });

const seeds = () => z.array(whole({ min: 0 }), { error: "a list of seeds" }).min(1, { error: "a list of seeds" });

const arm = mapping({
  name: armName(),
  dimensions: z
    .array(text("the name of a dimension"), { error: "a list of dimensions" })
    .default([])
    .describe("The comparisons the arm belongs to; the reference belongs to all."),
  from: armName().nullable().default(null).describe("The arm whose recipe this one changes; null is the base."),
  weights: armName()
    .nullable()
    .default(null)
    .describe("The arm whose trained weights, of the same seed, this one starts from."),
  set: changes().default({}).describe("Dotted recipe keys, as train --set takes them, and their values."),
  about: text().nullable().default(null).describe("What the arm is, for the report."),
});

const prediction = mapping({
  arm: armName(),
  against: armName().nullable().default(null).describe("The arm it is compared with; null is the reference."),
  measure: nameIn(studyMeasures).default("accuracy").describe("What is compared; docs/study.md says how."),
  direction: oneOf("higher", "lower", "same").describe("Of the arm's measure against the other's."),
  margin: number({ above: 0 })
    .nullable()
    .default(null)
    .describe("Of the direction same, which needs it: differences below it count as none."),
  because: text("the reason, a text"),
});

const retention = mapping({
  stratum: text("a stratum of the questions, such as modality"),
  old: z.array(text(), { error: "a list of values" }).min(1, { error: "a list of values" }),
  new: z.array(text(), { error: "a list of values" }).min(1, { error: "a list of values" }),
  control: armName().describe("The arm that every other one is compared with on both, such as a random mask."),
});

const quick = mapping({
  seeds: seeds().nullable().default(null),
  arms: z.array(armName(), { error: "a list of arms" }).nullable().default(null).describe("Only these; null is all."),
  scale_steps: number({ above: 0, max: 1 }).default(1).describe("Factor on the steps of all stages."),
  set: changes().default({}).describe("Changes to every arm's recipe."),
});

const generalisation = mapping({
  stratum: oneOrMore(text(), "the name of a stratum, or a list of them").describe(
    "Of the evaluation's questions: its values, or those of several with a space between, are the columns.",
  ),
  trained_on: z
    .record(armName(), text("a value of the stratum"), { error: "a mapping of arms to values of the stratum" })
    .describe("The rows: arms, and the value each was trained on, whose own column retention leaves out."),
});

/** The schema of a study. */
export const studySchema = mapping({
  name: armName(),
  about: text().nullable().default(null).describe("The research question, for the report."),
  seeds: seeds().default([1, 2, 3]),
  base: z.union([text(), z.record(z.string(), z.unknown())], { error: "a recipe, or the path of one" }),
  reference: armName().describe("The arm that the others are compared with."),
  baselines: z
    .array(armName(), { error: "a list of arms" })
    .default([])
    .describe("Arms that, beside the reference, another must beat to be called improved, such as tuned SFT."),
  arms: z.array(arm, { error: "a list of arms" }).min(1, { error: "a list of at least one arm" }),
  predicts: z
    .array(prediction, { error: "a list of predictions" })
    .default([])
    .describe("What is expected to come out, written before it runs; the report says of each whether it held."),
  retention: retention
    .nullable()
    .default(null)
    .describe("Accuracy before and after on questions that are not trained on (old) beside those that are (new)."),
  pilot: text()
    .nullable()
    .default(null)
    .describe("study.json of a pilot, from which --plan and the results compute what the predictions can be told by."),
  generalisation: generalisation
    .nullable()
    .default(null)
    .describe("The matrix of what arms were trained on against what they were tested on."),
  quick: quick.prefault({}).describe("Changes made by viva study --quick."),
});

export type StudyFile = z.output<typeof studySchema>;
export type ArmFile = StudyFile["arms"][number];

/** JSON Schema (draft 2020-12) of a study file. */
export function studyJsonSchema(): Schema {
  return { ...z.toJSONSchema(studySchema, { io: "input" }), title: "viva study" };
}
