/**
 * A batch's loss as numbers per token: its value, and its derivative by each token's log-prob. Any loss of log-probs has the
 * gradient Σ derivative·∇logp, so a server that can weigh log-probs can follow all of viva's losses.
 */
import type { TokenColumn, TokenTerms } from "../../algorithms/algorithm.ts";
import { sequenceLogRatio } from "../../algorithms/gspo.ts";
import { tokenLosses } from "../../algorithms/index.ts";
import { tokenLossOf } from "../../algorithms/token-loss.ts";
import { grad } from "../../compiler/grad.ts";
import { interpret } from "../../compiler/interpret.ts";
import { mul, sum } from "../../compiler/ops/index.ts";
import { input, type Program, type Tensor } from "../../compiler/tensor.ts";
import { tensorData } from "../../core/tensor-data.ts";
import type { TokenBatch, TrainingCompletion } from "../engine.ts";
import { atToken } from "../token-values.ts";

export interface BatchCoefficients {
  /** Σ weight x token loss. */
  readonly loss: number;
  /** −∂loss/∂logp by completion and token: what multiplies the gradient of each log-prob that is to grow. */
  readonly gains: readonly Float32Array[];
}

/** Whether the derivatives depend on the policy's log-probs, so that these must be known before the backward pass. */
export function dependsOnLogProbs({ loss: { variant } }: TokenBatch): boolean {
  return !variant.onPolicy || variant.klEstimator !== null;
}

/** Loss and derivatives at these log-probs, one array per completion in the batch's order. Entropy terms are not in it. */
export function batchCoefficients(batch: TokenBatch, logProbs: readonly ArrayLike<number>[]): BatchCoefficients {
  const completions = batch.groups.flatMap((group) => group.completions);
  const total = completions.reduce((length, { tokenIds }) => length + tokenIds.length, 0);
  if (total === 0) return { loss: 0, gains: completions.map(() => new Float32Array(0)) };
  const program = lossProgram(batch.loss, total);
  const column = (value: (completion: TrainingCompletion, token: number, i: number) => number) => {
    const data = completions.flatMap((completion, i) =>
      Array.from(completion.tokenIds, (_, token) => value(completion, token, i)),
    );
    return tensorData("float32", [total], Float32Array.from(data));
  };
  const ratios = completions.map(({ oldLogProbs }, i) => {
    return batch.loss.variant.level === "sequence" && oldLogProbs !== undefined
      ? sequenceLogRatio(logProbs[i]!, oldLogProbs)
      : 0;
  });
  const numbers = Object.entries(batch.loss.numbers).map(([name, value]) => {
    return [name, tensorData("float32", [], Float32Array.of(value))] as const;
  });
  const { loss, derivative } = interpret(
    program,
    {
      logProb: column((_, token, i) => logProbs[i]![token]!),
      oldLogProb: column(({ oldLogProbs }, token) => oldLogProbs?.[token] ?? 0),
      refLogProb: column(({ refLogProbs }, token) => refLogProbs?.[token] ?? 0),
      sequenceLogRatio: column((_, __, i) => ratios[i]!),
      advantage: column(({ advantage }, token) => atToken(advantage, token)),
      weight: column(({ weight }, token) => atToken(weight, token)),
      ...Object.fromEntries(numbers),
    },
    { precision: "float64" },
  );
  let next = 0;
  return {
    loss: loss!.data[0] as number,
    gains: completions.map(({ tokenIds }) => {
      const from = next;
      next += tokenIds.length;
      return Float32Array.from(derivative!.data.subarray(from, next) as Float64Array, (value) => -value);
    }),
  };
}

const columns = ["oldLogProb", "refLogProb", "sequenceLogRatio", "advantage"] as const satisfies readonly TokenColumn[];

function lossProgram({ name, variant, numbers }: TokenBatch["loss"], tokens: number): Program {
  const column = (of: string): Tensor => input(of, "float32", [tokens]);
  const logProb = column("logProb");
  const weight = column("weight");
  const fields = {
    ...Object.fromEntries(columns.map((of) => [of, column(of)])),
    ...Object.fromEntries(Object.keys(numbers).map((of) => [of, input(of, "float32", [])])),
  };
  const terms = { logProb, ...fields } as TokenTerms;
  const loss = sum(mul(weight, tokenLossOf(tokenLosses[name], terms, variant)));
  const [derivative] = grad(loss, [logProb]);
  return { inputs: { logProb, weight, ...fields }, outputs: { loss, derivative: derivative! } };
}
