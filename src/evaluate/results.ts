/** The results of an evaluation as one JSON object, with its schema: the file that other programs read. */
import * as z from "zod";
import type { EvalSummary } from "./summary.ts";

const share = z.number().min(0).max(1);
const interval = z.strictObject({
  estimate: z.number(),
  low: z.number(),
  high: z.number(),
  n: z.int().describe("rows"),
  subjects: z.int(),
});
const difference = z.number().nullable();
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
  detectable_difference: difference.describe("that two models of unrelated errors must show: 5 % level, 80 % power"),
  parse_failure_rate: share,
  format_rate: share,
  baselines: z.record(
    z.string(),
    z.strictObject({
      accuracy: share,
      difference: interval.describe("accuracy less the baseline's, paired"),
      verdict: z.enum(["better", "worse", "open"]),
      mcnemar_p: share,
      detectable_difference: difference,
    }),
  ),
});
const summary = z.strictObject({
  checkpoint: z.string(),
  protocol: z.string(),
  subsets: z.strictObject({
    overall: subset.optional(),
    closed: subset.optional(),
    open: subset.optional(),
    choice: subset.optional(),
  }),
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
  subject: z.string().describe("what answered: a checkpoint's folder or a file of predictions"),
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
  const bootstrap = { resamples: 2000, seed: 0, level: 0.95 };
  return resultsSchema.parse({ schema: "viva.evaluation/1", ...about, bootstrap, protocols: summaries });
}

/** JSON Schema (draft 2020-12) of the results file. */
export function resultsJsonSchema(): Readonly<Record<string, unknown>> {
  return { ...z.toJSONSchema(resultsSchema, { reused: "ref" }), title: "viva evaluation results" };
}
