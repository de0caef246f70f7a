/** Which evaluation of a run is its best: what a kept checkpoint and a report mean by it. */

/** The overall accuracy of an evaluation after a step. */
export interface StepAccuracy {
  readonly step: number;
  readonly accuracy: number;
}

/** The most accurate one after the first step or later, the earliest of equals; a step's later evaluation replaces its earlier. */
export function bestEvaluation(evaluations: readonly StepAccuracy[]): StepAccuracy | null {
  const byStep = new Map(evaluations.map((one) => [one.step, one]));
  const trained = [...byStep.values()].filter(({ step }) => step > 0).sort((a, b) => a.step - b.step);
  return trained.reduce<StepAccuracy | null>((a, b) => (a === null || b.accuracy > a.accuracy ? b : a), null);
}
