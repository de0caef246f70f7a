/** The results of an evaluation as one JSON object with a schema, for other programs. */
import * as z from "zod";
import { bootstrapDefaults } from "./bootstrap.ts";
import type { EvalSummary } from "./summary.ts";

export const share = z.number().min(0).max(1);
export const interval = z.strictObject({
  estimate: z.number(),
  low: z.number(),
  high: z.number(),
  n: z.int().describe("rows"),
  subjects: z.int(),
});
const difference = z.number().nullable();
/** A paired comparison of accuracies. */
export const pairedFields = {
  difference: interval.describe("accuracy minus the other's, paired"),
  verdict: z.enum(["better", "worse", "open"]).describe("open unless the interval excludes 0"),
  won: z.int().describe("questions that only this one answered correctly"),
  lost: z.int(),
  mcnemar_p: share.describe("exact, two-sided; assumes independent questions"),
  detectable_difference: difference.describe("true difference of this pair that is detected with 80 % power"),
};
/** The verdict on an arm, against the best of its baselines. */
export const verdictSchema = z.strictObject({
  verdict: z.enum(["improved", "worse", "not_shown"]),
  against: z.string().describe("the best baseline: on validation if all were measured there, else on these questions"),
  chosen_on: z.enum(["validation", "these questions"]),
  difference: interval.describe("accuracy minus that baseline's, paired"),
  p: share.describe("two-sided, the largest over all baselines, by flipping the signs of subjects"),
  p_holm: share.describe("corrected for the number of arms"),
  unbeaten: z.array(z.string()).describe("baselines that it is not shown to beat"),
  detectable_difference: difference.describe("true difference of this pair that is detected with 80 % power"),
  less_tuned: z
    .array(z.string())
    .optional()
    .describe("baselines whose settings were chosen from fewer trials than the arm's; absent without any"),
});
const subset = z.strictObject({
  n: z.int(),
  subjects: z.int(),
  accuracy: interval.describe("by the strict reading"),
  lenient_accuracy: interval.describe("by the lenient reading; another tool's protocol: that tool's own figure"),
  token_f1: interval,
  exact_match: interval,
  recall: interval,
  bleu_1: interval,
  rouge_l: interval,
  detectable_difference: difference.describe("between two models with independent errors: 5 % level, 80 % power"),
  parse_failure_rate: share,
  format_rate: share,
  baselines: z.record(
    z.string(),
    z.strictObject({
      accuracy: share,
      validation: share.optional().describe("accuracy on the validation questions that chose the best baseline"),
      ...pairedFields,
    }),
  ),
  verdict: verdictSchema.optional().describe("absent without baselines"),
});
const pixels = z.int().nullable();
/** Conditions that a comparison requires to be equal; null if unknown. */
export const conditionsSchema = z.strictObject({
  questions: z.strictObject({ n: z.int(), sha256: z.string().describe("of ids, questions, options and answers") }),
  prompt: z.looseObject({ style: z.string(), user: z.string() }).nullable(),
  decoding: z
    .strictObject({
      num_generations: z.int(),
      temperature: z.number(),
      top_p: z.number(),
      top_k: z.int(),
      seed: z.int().nullable(),
      max_completion_length: z.int(),
    })
    .nullable(),
  images: z
    .strictObject({
      sha256: z.string().describe("of the images' content"),
      min_pixels: pixels.describe("requested; null for the model's own"),
      max_pixels: pixels,
      tokens: z.int().nullable().describe("of all prompts together; null if a server does not report them"),
    })
    .nullable(),
});
const summary = z.strictObject({
  checkpoint: z.string(),
  tuning_trials: z
    .int()
    .optional()
    .describe("runs tried to choose the settings of the run that made it, as its recipe says"),
  protocol: z.string(),
  subsets: z.strictObject({
    overall: subset.optional(),
    closed: subset.optional(),
    open: subset.optional(),
    choice: subset.optional(),
    multi: subset.optional(),
    numeric: subset.optional(),
  }),
  conditions: conditionsSchema.optional(),
  facts: z
    .strictObject({
      completions: z.int(),
      claims: z.int(),
      right: z.int(),
      wrong: z.int(),
      precision: interval.nullable(),
      recall: interval.nullable(),
      hallucination_rate: interval.nullable().describe("asserted findings that are absent"),
    })
    .optional()
    .describe("reasoning against the known facts of the images"),
  paradigm: z
    .strictObject({ name: z.string(), validation: z.record(z.string(), share).optional() })
    .optional()
    .describe("the way of reasoning that was asked for, and the validation accuracies it was chosen by"),
  reasoning: z
    .strictObject({
      rationales: z.int(),
      restated_facts: interval.nullable().describe("distinct facts of question and image per 100 words"),
      excluded_options: interval.nullable().describe("share of wrong options that are ruled out; choice questions"),
      behaviours: z.strictObject({
        verification: interval,
        backtracking: interval,
        sub_goals: interval,
        backward_chaining: interval,
      }),
    })
    .optional()
    .describe("how the reasoning goes about it; behaviours are phrases per rationale"),
  thoughts: z
    .strictObject({
      stopped: share.describe("of thoughts that were ended early"),
      tokens: z.number().describe("of an answer, mean"),
      trial_tokens: z.number().describe("sampled or scored for trials beside them, mean"),
    })
    .optional()
    .describe("where thoughts could be ended early"),
  experts: z
    .record(z.string(), z.int())
    .optional()
    .describe('questions by expert that answered; "" is the model itself'),
  unanswered: z.record(z.string(), z.int()).optional().describe("answers not to be had, by reason; counted as wrong"),
  overlap: z
    .strictObject({
      subjects: z.int(),
      questions: z.int(),
      of: z.int().describe("questions"),
      first: z.array(z.string()).describe("subjects"),
      copies: z
        .strictObject({ images: z.int(), judged: z.string(), seen: z.string() })
        .optional()
        .describe("images with the pixels of a training image under another name, and the first"),
      unshared: interval.nullable().describe("accuracy on questions about other subjects and images; null without any"),
    })
    .optional()
    .describe("what the questions share with the training data, by subject or image"),
  overlap_unknown: z
    .string()
    .optional()
    .describe("why the questions were not compared with all that the model was trained on"),
  yes_no: z
    .record(
      z.string(),
      z.strictObject({
        n: z.int(),
        positives: z.int().describe("questions whose reference is yes"),
        unreadable: z.int().describe("answers that are neither yes nor no; areas and scores count them as 0.5"),
        auroc: interval,
        auroc_bounds: z.tuple([share, share]).describe("with unreadable answers as mistakes, and as right"),
        auprc: share,
        min_precision_recall: share.describe("the largest over thresholds of the smaller of both"),
        recall: share.describe("of yes, those answered yes: sensitivity"),
        specificity: share.describe("of no, those answered no"),
        accuracy: share.describe("at the threshold 0.5; unreadable answers are right nowhere"),
        f1: share,
        f3: share,
        cost: z.number().describe("(missed x missed_cost + false alarms) / n"),
        missed_cost: z.number().describe("what a missed yes costs, in false alarms"),
        brier: share,
        calibration_error: share.describe("over ten bins of probability"),
      }),
    )
    .optional()
    .describe("closed questions as a test with probabilities, by predictor"),
  scale: z
    .strictObject({
      rows: z
        .array(
          z.strictObject({
            model: z.string(),
            n: z.int().describe("training questions"),
            draws: z.int().describe("random parts of the training data"),
            accuracy: share,
            difference: z
              .strictObject({ estimate: z.number(), low: z.number(), high: z.number() })
              .describe("accuracy less that of the model evaluated, over subjects and draws"),
          }),
        )
        .readonly(),
      crossing: z
        .record(z.string(), z.int().nullable())
        .describe("smallest n from which on the interval lies above 0; null for none"),
    })
    .optional()
    .describe("conventional models fitted to parts of the training data, against the model evaluated"),
  subgroups: z
    .array(
      z.strictObject({
        stratum: z.string(),
        value: z.string().describe("the group that is compared with all other questions"),
        n: z.int().describe("yes/no questions of the group"),
        rest: z.int(),
        disparate_impact: interval.nullable().describe("ratio of the shares answered yes; 1 is equal"),
        parity_difference: interval.nullable().describe("difference of the shares answered yes"),
        opportunity_difference: interval.nullable().describe("difference of recalls"),
        odds_difference: interval.nullable().describe("mean of the differences of recalls and of false-alarm rates"),
      }),
    )
    .optional()
    .describe("gaps between groups of subjects in yes/no questions"),
  numbers: z
    .record(
      z.string(),
      z.array(
        z.strictObject({
          unit: z.string().describe("empty for a plain number"),
          n: z.int().describe("readable numbers whose target is known (not censored)"),
          unreadable: z.int(),
          mae: interval.describe("mean absolute error, in the unit"),
          rmse: interval,
          r2: interval.nullable().describe("null where all targets are equal"),
          mape: interval.nullable().describe("mean error relative to the target, a share; null where all are 0"),
          concordance: interval.nullable().describe("Harrell's, censored times included"),
        }),
      ),
    )
    .optional()
    .describe("numeric questions by distance, by predictor"),
  figures: z
    .record(z.string(), z.record(z.string(), interval))
    .optional()
    .describe(
      "sensitivity, specificity, sets of options by overlap, survival by status, reasoning by its words: means by kind and figure",
    ),
  sampled: z
    .strictObject({
      generations: z.int(),
      at_k: z.record(z.string(), z.strictObject({ pass: interval, majority: interval })),
    })
    .optional(),
});

export const resultsSchema = z.strictObject({
  schema: z.literal("viva.evaluation/1"),
  data: z.strictObject({
    name: z.string(),
    split: z.string(),
    questions: z.int(),
    limit: z.int().nullable(),
    seed: z.int(),
    image_disjoint: z.boolean(),
  }),
  subject: z.string().describe("what answered: a checkpoint's folder, a model at an address, or a file of predictions"),
  prompt: z.string().nullable(),
  bootstrap: z.strictObject({ resamples: z.int(), seed: z.int(), level: share }),
  protocols: z.array(summary).min(1),
});

export type EvaluationResults = z.output<typeof resultsSchema>;

/** The results object of summaries under one or more protocols. */
export function evaluationResults(
  about: Pick<EvaluationResults, "data" | "subject" | "prompt">,
  summaries: readonly EvalSummary[],
): EvaluationResults {
  return resultsSchema.parse({
    schema: "viva.evaluation/1",
    ...about,
    bootstrap: bootstrapDefaults,
    protocols: summaries,
  });
}

/** JSON Schema (draft 2020-12) of the results file. */
export function resultsJsonSchema(): Readonly<Record<string, unknown>> {
  return { ...z.toJSONSchema(resultsSchema, { reused: "ref" }), title: "viva evaluation results" };
}
