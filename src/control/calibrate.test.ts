import { describe, expect, it } from "vitest";
import { calibrate, THRESHOLDS } from "./calibrate.ts";
import type { ThoughtTrace, TracedTrial } from "./traces.ts";

const rule = { stop: "confidence", minSentences: 1, score: "avg2" } as const;

/** Thoughts of ten sentences of ten tokens; question i is answered rightly, and surely, after `knows(i)` sentences. */
function tracesOf(knows: (i: number) => number, sure: (i: number, sentence: number) => number): ThoughtTrace[] {
  return Array.from({ length: 100 }, (_, i) => ({
    full: { text: "right", tokens: 110, finishReason: "stop" as const },
    trials: Array.from({ length: 9 }, (_, s): TracedTrial => {
      const confidence = sure(i, s + 1);
      return {
        confidence: { avg1: confidence, avg2: confidence, min: confidence },
        options: null,
        text: s + 1 >= knows(i) ? "right" : "wrong",
        ...{ tokens: 10 * (s + 1) + 5, answerTokens: 5, finishReason: "stop" },
      };
    }),
  }));
}
const isRight = (_: number, { text }: { readonly text: string }) => text === "right";

describe("calibration", () => {
  it("of sure knowledge takes the threshold that ends each thought in time", () => {
    const knows = (i: number) => 1 + (i % 5);
    const { full, chosen, thresholds, fixed } = calibrate(
      tracesOf(knows, (i, s) => (s >= knows(i) ? 0.96 : 0.55)),
      isRight,
      rule,
    );
    expect(full).toMatchObject({ accuracy: 1, tokens: 110, spent: 110, saved: 0, stopped: 0 });
    expect(chosen).toBe(0.6);
    const best = thresholds.find(({ threshold }) => threshold === chosen)!;
    // 3 sentences on average with an answer of 5 tokens; 5 tokens for each of 2 failed trials.
    expect(best).toMatchObject({ accuracy: 1, tokens: 35, spent: 45, stopped: 1 });
    expect(best.saved).toBeCloseTo(1 - 45 / 110, 12);
    expect(thresholds.map(({ threshold }) => threshold)).toEqual([...THRESHOLDS]);
    expect(fixed.map(({ accuracy }) => accuracy).slice(0, 5)).toEqual([0.2, 0.4, 0.6, 0.8, 1]);
  });

  it("allows the loss that it is told, and no more", () => {
    const early = tracesOf(
      (i) => (i < 2 ? 9 : 1),
      () => 0.7,
    );
    expect(calibrate(early, isRight, rule, 0.01).chosen).toBe(null);
    expect(calibrate(early, isRight, rule, 0.02).chosen).toBe(0);
  });

  it("counts trials: where they cost more than they save, nothing is chosen", () => {
    const late = tracesOf(
      () => 1,
      () => 0.1,
    ).map((trace) => ({ ...trace, trials: trace.trials.map((trial) => ({ ...trial, answerTokens: 50 })) }));
    const { thresholds } = calibrate(late, isRight, { ...rule, minSentences: 9 });
    // 95 tokens and the 8 of a trial whose answer went on.
    expect(thresholds[0]).toMatchObject({ spent: 103, stopped: 1 });
    expect(thresholds.at(-1)!.saved).toBeLessThan(0);
  });
});
