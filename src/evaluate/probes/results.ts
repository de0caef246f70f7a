/** The results of probes as one JSON object with a schema, for other programs. */
import * as z from "zod";
import { bootstrapDefaults } from "../bootstrap.ts";
import { type EvaluationResults, resultsSchema } from "../results.ts";
import { UNITS } from "./measure.ts";
import type { ProbeResult } from "./run.ts";

const interval = z.strictObject({
  estimate: z.number(),
  low: z.number().describe("of the 95 % interval, bootstrap over subjects"),
  high: z.number(),
  n: z.int().describe("questions that count"),
  subjects: z.int(),
});

export const probesSchema = z.strictObject({
  schema: z.literal("viva.probes/1"),
  data: resultsSchema.shape.data,
  subject: z.string().describe("the checkpoint's folder"),
  prompt: z.string().nullable(),
  protocol: z.string(),
  bootstrap: resultsSchema.shape.bootstrap,
  probes: z.array(
    z.strictObject({
      probe: z.string(),
      about: z.enum(["reasoning", "bias"]),
      title: z.string(),
      skipped: z.string().nullable().describe("why the probe does not apply; null where it does"),
      measures: z.array(
        z.strictObject({
          name: z.string(),
          condition: z
            .string()
            .nullable()
            .describe("what was changed or which answers count; null for all as they are"),
          unit: z.enum(UNITS).describe("share in [0, 1]; difference of shares; correlation in [-1, 1]; any number"),
          interval: interval.nullable().describe("null where no question counts"),
        }),
      ),
    }),
  ),
});

export type ProbeResults = z.output<typeof probesSchema>;

/** The results object of a run of probes. */
export function probeResults(
  about: Pick<EvaluationResults, "data" | "subject" | "prompt"> & { readonly protocol: string },
  results: readonly ProbeResult[],
): ProbeResults {
  return probesSchema.parse({ schema: "viva.probes/1", ...about, bootstrap: bootstrapDefaults, probes: results });
}

/** JSON Schema (draft 2020-12) of the results file. */
export function probesJsonSchema(): Readonly<Record<string, unknown>> {
  return { ...z.toJSONSchema(probesSchema, { reused: "ref" }), title: "viva probe results" };
}
