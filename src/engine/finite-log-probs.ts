/** Answers of a model whose numbers overflowed look like answers: their log-probs tell. */
import { RunError } from "../core/errors.ts";

/** Throws RunError where a log-prob is NaN or infinite; `what` names the answer. */
export function requireFiniteLogProbs(logProbs: ArrayLike<number>, what: string): void {
  for (let i = 0; i < logProbs.length; i++) {
    if (Number.isFinite(logProbs[i])) continue;
    throw new RunError(
      `${what}: the log-prob of token ${i + 1} is ${logProbs[i]}: the model's weights are so large that its numbers overflow, and its answers mean nothing; take an earlier checkpoint`,
    );
  }
}
