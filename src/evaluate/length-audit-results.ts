/** The results of a length audit as one JSON object with a schema, and as text. */
import * as z from "zod";
import { alignColumns } from "../core/text-table.ts";
import type { Measure } from "./probes/measure.ts";
import { probesSchema } from "./probes/results.ts";
import { probeRows } from "./probes/table.ts";

/** What was found of one scorer. */
export interface LengthAudit {
  readonly scorer: string;
  readonly measures: readonly Measure[];
}

const measures = probesSchema.shape.probes.element.shape.measures;

export const lengthAuditSchema = z.strictObject({
  schema: z.literal("viva.length-audit/1"),
  file: z.string(),
  pairs: z.int(),
  seed: z.int(),
  audits: z.array(z.strictObject({ scorer: z.string(), measures })),
});

export type LengthAuditResults = z.output<typeof lengthAuditSchema>;

export function lengthAuditResults(
  about: Pick<LengthAuditResults, "file" | "pairs" | "seed">,
  audits: readonly LengthAudit[],
): LengthAuditResults {
  return lengthAuditSchema.parse({ schema: "viva.length-audit/1", ...about, audits });
}

/** JSON Schema (draft 2020-12) of what `viva rewards audit` writes. */
export function lengthAuditJsonSchema(): Readonly<Record<string, unknown>> {
  return { ...z.toJSONSchema(lengthAuditSchema, { reused: "ref" }), title: "viva length audit" };
}

export function formatLengthAudit({ pairs, audits }: LengthAuditResults): string {
  const blocks = audits.map((audit) => {
    const rows = alignColumns([["", "", "n", "% or correlation [95 % interval]"], ...probeRows(audit)], 2);
    return [`${audit.scorer}, ${pairs} pairs`, ...rows.map((row) => `  ${row}`)].join("\n");
  });
  return blocks.join("\n\n");
}
