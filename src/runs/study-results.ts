/** study.json: what a study found, arm by arm; written by the study, read by its report and by other programs. */
import * as z from "zod";

const interval = z.strictObject({
  estimate: z.number(),
  low: z.number(),
  high: z.number(),
  n: z.int().describe("Values: questions times seeds."),
  subjects: z.int(),
});

const run = z.strictObject({
  seed: z.int(),
  folder: z.string().describe("Within the study's folder."),
  status: z.enum(["finished", "failed", "unfinished"]),
  message: z.string().nullable().describe("Why it failed."),
  accuracy: z.number().nullable().describe("Of the last evaluation, a share."),
  reward: z
    .strictObject({ first: z.number(), last: z.number() })
    .nullable()
    .describe(
      "Mean reward of all that was sampled in the first and in the last fifth of the steps that sampled, groups that a filter replaced included; null where none did.",
    ),
  seconds: z.number().nullable().describe("Of all its steps, those of a shared start included; no evaluations."),
});

const verdict = z.strictObject({
  verdict: z.enum(["improved", "worse", "not_shown"]),
  against: z.string().describe("The best baseline."),
  chosen_on: z.enum(["validation", "these questions"]),
  difference: interval.describe("Accuracy less that baseline's on the same questions of the same seeds."),
  p: z.number().describe("Two-sided, the largest over all baselines."),
  p_holm: z.number().describe("Corrected for all arms that are no baseline."),
  unbeaten: z.array(z.string()).readonly().describe("Baselines that it is not shown to beat."),
  detectable_difference: z.number().nullable().describe("True difference seen with 80 % power, from the interval."),
});

const arm = z.strictObject({
  name: z.string(),
  about: z.string().nullable(),
  dimensions: z.array(z.string()),
  runs: z.array(run),
  accuracy: z
    .strictObject({ ...interval.shape, seed_sd: z.number().nullable() })
    .nullable()
    .describe("Last evaluations of all seeds; seed_sd is the standard deviation of the seeds' accuracies."),
  difference: interval
    .extend({
      p: z.number(),
      p_holm: z.number().describe("Corrected for all arms of the study."),
      by_seed: z.array(z.strictObject({ seed: z.int(), difference: z.number() })),
    })
    .nullable()
    .describe("Accuracy less the reference's on the same questions of the same seeds; null for the reference itself."),
  verdict: verdict
    .nullable()
    .describe("Against the best baseline; null for a baseline itself and where nothing is to be compared."),
  figures: z
    .record(z.string(), z.number())
    .describe("Means over seeds of every other figure of the last evaluation's summary."),
  training: z
    .record(z.string(), z.number())
    .describe("Means over seeds of metrics over the last fifth of the steps that sampled completions."),
  cost: z
    .strictObject({ seconds: z.number(), ratio: z.number().nullable() })
    .nullable()
    .describe("Median over seeds of the seconds of a run's steps, and its ratio to the reference's."),
});

export const studyResultsSchema = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  about: z.string().nullable(),
  created: z.string(),
  method: z.string().describe("How intervals and p values were computed."),
  seeds: z.array(z.int()),
  reference: z.string(),
  baselines: z
    .array(z.string())
    .describe("Arms that another must beat to be called improved; the reference is the first."),
  arms: z.array(arm).describe("In the order of the study."),
  ranking: z.array(z.string()).describe("Arms with an accuracy, the highest first."),
  shared: z
    .array(z.strictObject({ folder: z.string(), stages: z.array(z.string()), used_by: z.array(z.string()) }))
    .describe("Runs whose stages others go on from."),
});

export type StudyResults = z.output<typeof studyResultsSchema>;
export type StudyArm = StudyResults["arms"][number];

/** JSON Schema (draft 2020-12) of study.json. */
export function studyResultsJsonSchema(): object {
  return { ...z.toJSONSchema(studyResultsSchema), title: "viva study results" };
}
