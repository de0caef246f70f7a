/**
 * One record per question in the format of lmms-eval's `--log_samples` files, so that its viewers can show viva's
 * results.
 */
import { createHash } from "node:crypto";
import type { EvalItem } from "./score.ts";

export interface SampleRecord {
  readonly doc_id: number;
  readonly doc_hash: string;
  readonly doc: Readonly<Record<string, string>>;
  readonly input: string;
  readonly target: string;
  readonly resps: readonly (readonly string[])[];
  readonly filtered_resps: readonly string[];
  readonly [metric: string]: unknown;
}

/** Items of one or more protocols in the given order; metrics are prefixed with the protocol, as in "viva_accuracy". */
export function sampleRecords(evaluations: readonly (readonly EvalItem[])[]): readonly SampleRecord[] {
  return evaluations[0]!.map((item, doc_id) => {
    const metrics = evaluations.flatMap((items) => {
      const { protocol, strict, lenient } = items[doc_id]!;
      return [
        [`${protocol}_accuracy`, strict],
        [`${protocol}_lenient_accuracy`, lenient],
      ] as const;
    });
    const { example_id, subject_id, answer_type, strata, question, answer, prediction, parsed_answer } = item;
    const doc = { example_id, subject_id, answer_type, ...strata, question, answer };
    return {
      doc_id,
      doc_hash: createHash("sha256").update(JSON.stringify(doc)).digest("hex"),
      doc,
      input: question,
      target: answer,
      resps: [item.predictions ?? [prediction]],
      filtered_resps: [parsed_answer?.text ?? ""],
      ...Object.fromEntries(metrics),
      token_f1: item.token_f1,
      bleu_1: item.bleu_1,
      rouge_l: item.rouge_l,
    };
  });
}
