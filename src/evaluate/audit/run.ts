/** Runs an audit: draws questions, has them answered and graded, and says where the model is weakest. */
import * as z from "zod";
import type { Vocabulary } from "../../answers/concepts/vocabulary.ts";
import { meanOf } from "../../core/mean.ts";
import type { Example } from "../../core/records.ts";
import type { AnswerSource } from "../answer-source.ts";
import { collectAnswers } from "../collect.ts";
import { factScore } from "../facts.ts";
import type { ProtocolName } from "../names.ts";
import { type EvalItem, scoreItems } from "../score.ts";
import { type AdaptiveOptions, type Asked, adaptiveDraws, type Draw, unbiasedRate, weakestCells } from "./adaptive.ts";
import { attributesOf } from "./attributes.ts";
import { claimF1, FAILING, gradeOf } from "./grade.ts";

export interface AuditOptions extends AdaptiveOptions {
  readonly protocol: ProtocolName;
  readonly vocabulary: Vocabulary;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** One query of an audit. */
export interface AuditedItem extends EvalItem {
  readonly weight: number;
  readonly grade: number;
}

const share = z.number().min(0).max(1);

export const auditSchema = z.strictObject({
  schema: z.literal("viva.audit/1"),
  queries: z.int(),
  pool: z.int().describe("questions that were to be drawn from"),
  distinct: z.int().describe("questions that were drawn"),
  failures: z.int().describe("grades of at most 3 as drawn, which is more often than in the pool"),
  failure_rate: z.number().min(0).describe("of the pool, without bias: the mean of weight x failure"),
  poor_reason_rate: z
    .number()
    .min(0)
    .describe("grades of at most 3 in spite of a right answer, of the pool, without bias: at most failure_rate"),
  mean_grade: z.number().describe("as drawn, where failures are more frequent than in the pool"),
  weakest: z.array(
    z.strictObject({
      attributes: z.record(z.string(), z.string()),
      queries: z.int(),
      failures: z.int(),
      rate: share.describe("weighted"),
      low: share.describe("lower Wilson bound at the effective number of queries"),
    }),
  ),
});

export type AuditResults = z.output<typeof auditSchema>;

/** JSON Schema (draft 2020-12) of what `viva audit` writes. */
export function auditJsonSchema(): Readonly<Record<string, unknown>> {
  return { ...z.toJSONSchema(auditSchema), title: "viva audit" };
}

/** Questions answered between two looks at where failures are. */
const BATCH = 16;
const SHOWN = 10;

/** Audits what answers; a question that is drawn again is not asked again. */
export async function runAudit(
  source: AnswerSource,
  pool: readonly Example[],
  { protocol, vocabulary, signal, onProgress, ...o }: AuditOptions,
): Promise<{ readonly results: AuditResults; readonly items: readonly AuditedItem[] }> {
  const attributes = attributesOf(pool);
  const draws = adaptiveDraws(attributes, o);
  const known = new Map<number, { readonly item: EvalItem; readonly grade: number }>();
  const asked: Asked[] = [];
  const items: AuditedItem[] = [];
  while (asked.length < o.queries) {
    const next = draws.next(Math.min(BATCH, o.queries - asked.length));
    const fresh = [...new Set(next.map(({ index }) => index))].filter((index) => !known.has(index));
    const examples = fresh.map((index) => pool[index]!);
    const { predictions, style, thinkOpened } = await collectAnswers(source, examples, { signal });
    const scored = scoreItems(examples, predictions, { protocol, style, thinkOpened });
    for (const [i, item] of scored.entries()) {
      const facts = factScore(examples[i]!, item.prediction, { style, vocabulary });
      known.set(fresh[i]!, { item, grade: gradedBy(item, facts) });
    }
    for (const draw of next) record(draw);
    onProgress?.(asked.length, o.queries);
  }
  return { results: summarise(), items };

  function record({ index, weight }: Draw): void {
    const { item, grade } = known.get(index)!;
    const failed = grade <= FAILING;
    draws.record(index, failed);
    asked.push({ index, weight, failed });
    items.push({ ...item, weight, grade });
  }

  function summarise(): AuditResults {
    const poor = items.map(({ weight, grade, strict }) => ({ weight, failed: grade <= FAILING && strict === 1 }));
    return auditSchema.parse({
      schema: "viva.audit/1",
      queries: asked.length,
      pool: pool.length,
      distinct: known.size,
      failures: asked.filter(({ failed }) => failed).length,
      failure_rate: unbiasedRate(asked),
      poor_reason_rate: unbiasedRate(poor),
      mean_grade: meanOf(items.map(({ grade }) => grade)),
      weakest: weakestCells(attributes, asked).slice(0, SHOWN),
    });
  }
}

/** Without known facts a right answer has the best grade and a wrong one the worst. */
function gradedBy({ strict }: EvalItem, facts: ReturnType<typeof factScore>): number {
  if (facts === null) return strict === 1 ? 10 : 1;
  const { precision, recall } = facts;
  return gradeOf(strict === 1, precision ?? 1, claimF1(precision ?? 1, recall ?? 0));
}
