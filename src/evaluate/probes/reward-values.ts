/** Reward values of plain answers, for probes that measure what rewards measure. */
import type { Completion } from "../../core/records.ts";
import type { Reward } from "../../rewards/index.ts";
import type { Asked } from "./asked.ts";
import type { Value } from "./measure.ts";

/** One value for each answer, without null values. */
export async function rewardValues(reward: Reward, asked: readonly Asked[]): Promise<readonly Value[]> {
  const scored = await Promise.all(
    asked.map(async ({ example, item }) => {
      const [value] = await reward.score(example, [completionOf(item.prediction)]);
      return { subject: item.subject_id, value };
    }),
  );
  return scored.flatMap(({ subject, value }) => (typeof value === "number" ? [{ subject, value }] : []));
}

/** A text in the form that rewards take; the rewards used here read no tokens. */
export function completionOf(text: string): Completion {
  return { text, tokenIds: new Int32Array(0), logProbs: new Float32Array(0), finishReason: "stop", policyVersion: 0 };
}
