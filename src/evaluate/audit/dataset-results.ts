/** The results of a dataset audit as one JSON object with a schema, and as text. */
import * as z from "zod";
import { percent } from "../../core/percent.ts";
import { alignColumns } from "../../core/text-table.ts";
import type { DatasetAudit } from "./dataset-mode.ts";
import { auditRates } from "./grade.ts";
import { ROLES } from "./roles.ts";

const share = z.number().min(0).max(1);
const rates = {
  failure_rate: share.describe("share of grades of at most 3 (IMR)"),
  poor_reason_rate: share.describe("share of grades of at most 3 in spite of a right answer (JFR)"),
  mean_grade: z.number(),
};

export const datasetAuditSchema = z.strictObject({
  schema: z.literal("viva.dataset-audit/1"),
  cases: z.int(),
  generated: z.int(),
  refused: z.int().describe("drafts that an inspector found unfit"),
  lost: z.int().describe("drafts given up because a reply about them could not be read"),
  unjudged: z.array(z.string()).describe("categories without a judgement that could be read"),
  replies: z
    .record(z.enum(ROLES), z.strictObject({ replies: z.int(), unreadable: z.int() }))
    .describe("of each role; an answer whose judgement is unreadable is in no rate"),
  ...rates,
  categories: z.array(
    z.strictObject({
      category: z.string(),
      description: z.string(),
      proposed: z.boolean().describe("named by the taxonomist"),
      cases: z.int(),
      ...rates,
    }),
  ),
});

export type DatasetAuditResults = z.output<typeof datasetAuditSchema>;

/** Null where nothing could be judged. */
export function datasetAuditResults({ cases, categories, ...counts }: DatasetAudit): DatasetAuditResults | null {
  if (cases.length === 0) return null;
  return datasetAuditSchema.parse({
    schema: "viva.dataset-audit/1",
    cases: cases.length,
    generated: cases.filter(({ origin }) => origin === "generated").length,
    ...counts,
    ...auditRates(cases),
    categories: [...categories].sort((a, b) => b.failure_rate - a.failure_rate),
  });
}

/** JSON Schema (draft 2020-12) of what `viva audit --roles` writes. */
export function datasetAuditJsonSchema(): Readonly<Record<string, unknown>> {
  return { ...z.toJSONSchema(datasetAuditSchema), title: "viva dataset audit" };
}

export function formatDatasetAudit(results: DatasetAuditResults): string {
  const { cases, generated, refused, lost, failure_rate, poor_reason_rate, mean_grade, categories } = results;
  const rows = categories.map((one) => [
    one.proposed ? `${one.category} (proposed)` : one.category,
    String(one.cases),
    percent(one.failure_rate),
    percent(one.poor_reason_rate),
    one.mean_grade.toFixed(2),
  ]);
  return [
    `${cases} cases, ${generated} of them generated; ${refused} drafts refused, ${lost} lost to unreadable replies`,
    ...unreadReplies(results),
    `failures (grade 3 or less): ${percent(failure_rate)} %; right with a poor reason: ${percent(poor_reason_rate)} %; mean grade ${mean_grade.toFixed(2)} of 10`,
    "",
    ...alignColumns([["category", "cases", "failures %", "poor reason %", "mean grade"], ...rows], 1),
  ].join("\n");
}

/** The roles some of whose replies could not be read, and what came of it; nothing where all could. */
function unreadReplies({ replies, unjudged }: DatasetAuditResults): readonly string[] {
  const unread = ROLES.filter((name) => replies[name].unreadable > 0);
  if (unread.length === 0) return [];
  const shares = unread.map((name) => `${name} ${replies[name].unreadable} of ${replies[name].replies}`);
  const judged = replies.judge.unreadable > 0 ? "; answers without a judgement are in no rate" : "";
  const without = unjudged.length > 0 ? [`categories without any judgement: ${unjudged.join(", ")}`] : [];
  return [`replies that could not be read: ${shares.join(", ")}${judged}`, ...without];
}
