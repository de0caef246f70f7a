import { describe, expect, it } from "vitest";
import { randomKey, uniform } from "../../core/random.ts";
import type { Example } from "../../core/records.ts";
import { loadDataset } from "../../data/index.ts";
import { openVocabulary } from "../../session/reward-services.ts";
import type { AnswerSource } from "../answer-source.ts";
import { decodingOf } from "../conditions.ts";
import { unbiasedRate } from "./adaptive.ts";
import { FAILING } from "./grade.ts";
import { runAudit } from "./run.ts";

const vocabulary = openVocabulary(null);
const pool = await loadDataset({ name: "phantom_world", split: "test", limit: 260, seed: 11 });

/** Claims of the image's modality and organ, true ones or of another image's. */
const reasoning = ({ meta }: Example, holds: boolean) => {
  const [modality, organ] = [meta["modality"]!, meta["organ"]!];
  const other = modality === "ct" ? "MRI of the head" : "CT of the abdomen";
  return holds ? `This is a ${modality === "mri" ? "MRI" : modality} of the ${organ}.` : `This is a ${other}.`;
};

/** Seldom wrong; of CT images it is right for false reasons, of others for true ones. */
function model(seed: number): AnswerSource {
  const answerTo = (example: Example) => {
    const isWrong = uniform(randomKey(seed, "wrong", example.id, example.question), 0) < 0.04;
    const isPoor = example.meta["modality"] === "ct";
    return `<think>${reasoning(example, !isPoor)}</think><answer>${isWrong ? "unknown" : example.answer}</answer>`;
  };
  return {
    style: "think_answer",
    decoding: decodingOf({ maxCompletionLength: 64 }),
    opensThought: async () => false,
    async answer(examples, wanted, { onAnswer }) {
      for (const { index, generations } of wanted)
        for (const g of generations) onAnswer(index, g, { text: answerTo(examples[index]!) });
    },
  };
}

describe("the rates of an audit", () => {
  it("never have more right answers with a poor reason than failures, and are both the pool's", async () => {
    const seeds = [1, 2, 3, 4];
    const audits = await Promise.all(
      seeds.map((seed) => {
        const options = { seed, queries: 96, protocol: "viva", vocabulary } as const;
        return runAudit(model(seed), pool, options);
      }),
    );
    for (const { results, items } of audits) {
      const { failure_rate, poor_reason_rate } = results;
      const poor = items.map(({ weight, grade, strict }) => ({ weight, failed: grade <= FAILING && strict === 1 }));
      expect(poor_reason_rate).toBeGreaterThan(0);
      expect(poor_reason_rate).toBeLessThanOrEqual(failure_rate);
      expect(poor_reason_rate).toBeCloseTo(unbiasedRate(poor), 12);
    }
    // As drawn, poor reasons are more frequent than failures are in the pool: rates of two populations do not compare.
    const asDrawn = audits.map(({ items }) => items.filter(({ grade, strict }) => grade <= FAILING && strict === 1));
    expect(asDrawn.some((poor, i) => poor.length / 96 > audits[i]!.results.failure_rate)).toBe(true);
    const truth = pool.filter(({ meta }) => meta["modality"] === "ct").length / pool.length;
    const mean = audits.reduce((sum, { results }) => sum + results.poor_reason_rate, 0) / audits.length;
    expect(Math.abs(mean - 0.96 * truth)).toBeLessThan(0.06);
  });
});
