/** Answers of a model whose numbers overflowed look like answers: their log-probs tell, wherever they are asked for. */
import { OverflowError } from "../core/errors.ts";
import type { Policy } from "./engine.ts";

/** The policy whose calls throw OverflowError where a log-prob or a vector is not finite; `where` names its weights then. */
export function finitePolicy({ sample, logProbs, embed }: Policy, where: () => string): Policy {
  return {
    async *sample(prompts, o) {
      for await (const group of sample(prompts, o)) {
        for (const completion of group.completions) requireFiniteLogProbs(completion.logProbs, where());
        yield group;
      }
    },
    async logProbs(groups, o) {
      const scores = await logProbs(groups, o);
      for (const values of scores.logProbs) requireFiniteLogProbs(values, where());
      return scores;
    },
    async embed(prompts) {
      const vectors = await embed(prompts);
      for (const values of vectors) requireFiniteVector(values, where());
      return vectors;
    },
  };
}

/** Throws OverflowError where a log-prob is NaN or infinite; `where` names the weights. */
export function requireFiniteLogProbs(logProbs: ArrayLike<number>, where: string): void {
  const at = firstNotFinite(logProbs);
  if (at >= 0) throw overflow(where, `the log-prob of token ${at + 1} is ${logProbs[at]}`);
}

/** Throws OverflowError where a number that an image became is NaN or infinite; `where` names the weights. */
export function requireFiniteVector(values: ArrayLike<number>, where: string): void {
  const at = firstNotFinite(values);
  if (at >= 0) throw overflow(where, `an image becomes ${values[at]}`);
}

function firstNotFinite(values: ArrayLike<number>): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  return -1;
}

function overflow(where: string, found: string): OverflowError {
  return new OverflowError(
    `${where}: ${found}: the model's weights are so large that its numbers overflow, and nothing that it gives can be used; take another copy or an earlier checkpoint`,
  );
}
