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
  less_tuned: z
    .array(z.string())
    .readonly()
    .optional()
    .describe("Baselines whose settings were chosen from fewer trials than the arm's; absent without any."),
});

const quantiles = z
  .array(z.number())
  .readonly()
  .nullable()
  .describe("Tokens: the 10th, 25th, 50th, 75th and 90th percentile; null without any.");

const reasoning = z.strictObject({
  right_lengths: quantiles,
  wrong_lengths: quantiles,
  tokens_per_right: z.number().nullable().describe("Tokens of all completions for each right answer."),
  false_statements: z.number().nullable().describe("Share of the statements that facts decide; null without any."),
  invented_findings: z.number().nullable().describe("Share of asserted findings that are not there."),
  by_chain_length: z
    .array(z.strictObject({ statements: z.int(), n: z.int(), accuracy: z.number() }))
    .readonly()
    .describe("By the number of statements of the reference chain; empty where the data does not say it."),
});

const prediction = z.strictObject({
  arm: z.string(),
  against: z.string(),
  measure: z.string(),
  unit: z.enum(["share", "tokens"]).describe("Of the measure, and so of all figures here."),
  direction: z.enum(["higher", "lower", "same"]),
  margin: z.number().nullable(),
  because: z.string(),
  values: z.strictObject({ arm: z.number(), against: z.number() }).nullable(),
  difference: interval
    .extend({ p: z.number(), p_holm: z.number().describe("Corrected for all predictions.") })
    .nullable()
    .describe("The arm's measure less the other's; null where one was not run."),
  components: z
    .strictObject({ seed: z.number(), subject: z.number(), residual: z.number() })
    .nullable()
    .describe("Standard deviations of one question's difference with one seed; null with one seed."),
  power: z
    .strictObject({ detectable_difference: z.number(), power: z.number() })
    .nullable()
    .describe(
      "From the pilot, for this study's seeds and questions: what is seen with 80 %, and its own effect's power.",
    ),
  verdict: z.enum(["held", "failed", "undecided", "not run"]),
});

const crossed = interval.extend({ p: z.number().describe("Two-sided, not corrected.") });

const task = z
  .strictObject({
    before: z.number().describe("Accuracy of the first evaluations."),
    after: z.number().describe("Of the last ones."),
    change: crossed.describe("After less before, on the same questions of the same seeds."),
    over_control: crossed.nullable().describe("After less the control's after; null for the control itself."),
  })
  .nullable()
  .describe("Null without such questions.");

const retention = z.strictObject({
  stratum: z.string(),
  old: z.array(z.string()),
  new: z.array(z.string()),
  control: z.string(),
  arms: z.array(z.strictObject({ name: z.string(), old: task, new: task })),
});

const arm = z.strictObject({
  name: z.string(),
  about: z.string().nullable(),
  dimensions: z.array(z.string()),
  tuning_trials: z.int().optional().describe("Runs tried to choose its settings, as its recipe says."),
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
  reasoning: reasoning.nullable().describe("Of the last evaluations of all seeds; null without lengths."),
  cost: z
    .strictObject({ seconds: z.number(), ratio: z.number().nullable() })
    .nullable()
    .describe("Median over seeds of the seconds of a run's steps, and its ratio to the reference's."),
});

const outcome = z.strictObject({
  measure: z.string(),
  about: z.string(),
  unit: z.enum(["share", "tokens"]),
  better: z.enum(["higher", "lower"]).nullable().describe("Which way is an improvement; null where neither is."),
  arms: z.array(
    z.strictObject({
      arm: z.string(),
      difference: interval.extend({
        p: z.number(),
        p_holm: z.number().describe("Corrected for all arms, for this measure alone."),
        by_seed: z.array(z.strictObject({ seed: z.int(), difference: z.number() })),
      }),
    }),
  ),
});

const dimension = z.strictObject({
  name: z.string(),
  arms: z.array(z.string()).describe("That act on it; the reference and baselines left out."),
  effect: interval
    .extend({ p: z.number(), p_holm: z.number().describe("Corrected for all dimensions.") })
    .nullable()
    .describe("Mean over these arms of accuracy less the reference's, on the same questions of the same seeds."),
});

const scores = z.array(z.number().nullable()).readonly();
const generalisation = z.strictObject({
  stratum: z.string(),
  columns: z
    .array(z.string())
    .readonly()
    .describe("Values of the stratum, as the questions of the evaluation have them."),
  tables: z
    .array(
      z.strictObject({
        shots: z.int().describe("Solved examples before each question; 0 for the evaluation itself."),
        base: scores.describe("Accuracy of the model before training by column; null where it was not asked."),
        rows: z
          .array(
            z.strictObject({
              arm: z.string(),
              trained_on: z.string(),
              scores: scores.describe("Accuracy after training, mean over seeds."),
              relative: scores.describe("Score over the base's, less 1."),
              retention: z
                .number()
                .nullable()
                .describe("Mean of score over the base's, the arm's own column left out."),
            }),
          )
          .readonly(),
      }),
    )
    .readonly(),
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
  dimensions: z.array(dimension).nullish().describe("What acting on a dimension does in the mean: its main effect."),
  outcomes: z
    .array(outcome)
    .nullish()
    .describe("Arms less the reference in every other measure of their last evaluations; 1,000 resamples."),
  predictions: z.array(prediction).describe("What the study file predicted, in its order, and whether it held."),
  retention: retention
    .nullish()
    .describe("What arms keep of questions that they are not trained on, where the study asks."),
  generalisation: generalisation.nullable().describe("What arms were trained on against what they were tested on."),
  ranking: z.array(z.string()).describe("Arms with an accuracy, the highest first."),
  shared: z
    .array(z.strictObject({ folder: z.string(), stages: z.array(z.string()), used_by: z.array(z.string()) }))
    .describe("Runs whose stages others go on from."),
});

export type StudyResults = z.output<typeof studyResultsSchema>;
export type StudyOutcome = NonNullable<StudyResults["outcomes"]>[number];
export type StudyPrediction = StudyResults["predictions"][number];
export type StudyRetention = NonNullable<StudyResults["retention"]>;
export type StudyGeneralisation = NonNullable<StudyResults["generalisation"]>;
export type StudyArm = StudyResults["arms"][number];

/** JSON Schema (draft 2020-12) of study.json. */
export function studyResultsJsonSchema(): object {
  return { ...z.toJSONSchema(studyResultsSchema), title: "viva study results" };
}
