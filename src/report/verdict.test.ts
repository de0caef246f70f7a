import { describe, expect, it } from "vitest";
import type { EvaluationLine, RecordLine } from "./read-run.ts";
import { verdictOf } from "./verdict.ts";

const interval = (estimate: number, half: number) => {
  return { estimate, low: estimate - half, high: estimate + half, n: 100, subjects: 100 };
};

/** An evaluation beside a baseline, from which its difference is uncertain by `half`. */
function evaluation(step: number, stage: string, accuracy: number, majority?: number, half = 0.05): EvaluationLine {
  const baselines =
    majority === undefined ? {} : { majority: { accuracy: majority, difference: interval(accuracy - majority, half) } };
  return { step, stage, subsets: { overall: { accuracy: interval(accuracy, 0.05), baselines } } };
}

function verdict(
  evaluations: readonly EvaluationLine[],
  { half = 0.05, starts = [1, 11], p = 0.001, subjectsP = 0.001 } = {},
): string {
  const events = starts.map((step): RecordLine => ({ event: "stage_start", step, stage: "x" }));
  const accuracy = ({ subsets }: EvaluationLine) => subsets["overall"]!.accuracy.estimate;
  const difference = interval(accuracy(evaluations.at(-1)!) - accuracy(evaluations[0]!), half);
  return verdictOf({ evaluations, events }, { difference, won: 0, lost: 0, p, subjects_p: subjectsP });
}

describe("the verdict on a run", () => {
  it("is a clear gain where nothing takes it back", () => {
    expect(verdict([evaluation(0, "start", 0.3), evaluation(10, "sft", 0.5), evaluation(20, "grpo", 0.6, 0.4)])).toBe(
      "a clear gain",
    );
    expect(verdict([evaluation(0, "start", 0.3), evaluation(20, "grpo", 0.6)])).toBe("a clear gain");
  });

  it.each([
    [
      [evaluation(0, "start", 0), evaluation(20, "grpo", 0.4, 0.5)],
      "a gain, but below the best baseline (majority, 50.0 %)",
    ],
    [
      [evaluation(0, "start", 0), evaluation(20, "grpo", 0.5, 0.5)],
      "a gain, but not clearly above the best baseline (majority, 50.0 %)",
    ],
    [
      [evaluation(0, "start", 0), evaluation(10, "sft", 0.617), evaluation(20, "grpo", 0.6, 0.4)],
      "a gain, but −1.7 points against an earlier stage (sft, step 10)",
    ],
    [
      [evaluation(0, "start", 0), evaluation(10, "grpo", 0.6), evaluation(20, "grpo", 0.4, 0.5)],
      "a gain, but below the best baseline (majority, 50.0 %), and −20.0 points against an earlier stage (grpo, step 10)",
    ],
  ])("is no clear gain below a baseline or an earlier stage", (evaluations, expected) => {
    expect(verdict(evaluations)).toBe(expected);
  });

  it("looks at the ends of stages, not at every evaluation of the last one", () => {
    const evaluations = [evaluation(0, "start", 0), evaluation(15, "grpo", 0.65), evaluation(20, "grpo", 0.6)];
    expect(verdict(evaluations)).toBe("a clear gain");
  });

  it("is no clear gain where the exact test does not see it, however narrow the interval", () => {
    const few = [evaluation(0, "start", 0.2), evaluation(20, "grpo", 0.6)];
    expect(verdict(few, { p: 0.125 })).toBe("no difference that could not be chance");
    expect(verdict(few, { subjectsP: 0.5 })).toBe("no difference that could not be chance");
    const fewer = [evaluation(0, "start", 0.6), evaluation(20, "grpo", 0.2)];
    expect(verdict(fewer, { p: 0.0625 })).toBe("no difference that could not be chance");
  });

  it("asks of every baseline, not only of the best, and of the record's own verdict", () => {
    const baseline = (accuracy: number, half: number, mcnemar_p = 0.001) => {
      return { accuracy, difference: interval(0.7 - accuracy, half), mcnemar_p };
    };
    const ending = (baselines: object, judged?: object) => {
      const last = evaluation(20, "grpo", 0.7);
      const overall = { ...last.subsets["overall"]!, baselines, ...judged } as (typeof last.subsets)[string];
      return verdict([evaluation(0, "start", 0.3), { ...last, subsets: { overall } }]);
    };
    expect(ending({ majority: baseline(0.5, 0.05), nearest: baseline(0.4, 0.05) })).toBe("a clear gain");
    const wide = { majority: baseline(0.5, 0.05), question_only: baseline(0.5, 0.3) };
    expect(ending(wide)).toBe("a gain, but not clearly above a baseline (question-only, 50.0 %)");
    expect(ending({ majority: baseline(0.5, 0.05, 0.07) })).toBe(
      "a gain, but not clearly above the best baseline (majority, 50.0 %)",
    );
    expect(ending({ majority: baseline(0.5, 0.05), untuned: baseline(0.8, 0.05) })).toBe(
      "a gain, but below a baseline (untuned, 80.0 %)",
    );
    const judged = { verdict: { verdict: "not_shown", against: "nearest_neighbour" } };
    expect(ending({ majority: baseline(0.5, 0.05) }, judged)).toBe("a gain, but not shown to beat nearest-neighbour");
  });

  it("knows earlier stages without their events", () => {
    const evaluations = [evaluation(0, "start", 0), evaluation(10, "sft", 0.65), evaluation(20, "grpo", 0.6)];
    expect(verdict(evaluations, { starts: [] })).toBe(
      "a gain, but −5.0 points against an earlier stage (sft, step 10)",
    );
  });

  it("names a loss, and what chance explains", () => {
    expect(verdict([evaluation(0, "start", 0.6), evaluation(20, "grpo", 0.4, 0.5)])).toBe("a clear loss");
    const open = [evaluation(0, "start", 0.5), evaluation(20, "grpo", 0.52, 0.6)];
    expect(verdict(open)).toBe("no difference that could not be chance; below the best baseline (majority, 60.0 %)");
  });
});
