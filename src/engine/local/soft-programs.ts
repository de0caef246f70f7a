/**
 * Losses that compare the whole vocabulary under several sets of weights: programs over pairs of hidden states in chunks, so
 * that no table of tokens × vocabulary exists beside another. All sets share the frozen head.
 */
import { huberLoss, softValue } from "../../algorithms/etpo.ts";
import { grad } from "../../compiler/grad.ts";
import { mul, neg, sub, sum, takeAlongLastAxis } from "../../compiler/ops/index.ts";
import type { Params, Program } from "../../compiler/tensor.ts";
import type { TensorData } from "../../core/tensor-data.ts";
import type { Model } from "../../models/model.ts";
import { entropy, type SamplingVariant, samplingLogProbs } from "../../nn/sampling.ts";
import type { MicroBatch } from "./packing.ts";
import { float, ints, samplingInputs, weightInputs } from "./program-inputs.ts";

/** A head in place of the token losses' own: its program, what it is fed beside a chunk's rows, and a value for each token. */
export interface PairHead {
  readonly key: string;
  program(): Program;
  readonly numbers: Readonly<Record<string, number>>;
  /** Hidden states [tokens, width] of a micro-batch under other weights, by the program's inputs. */
  hidden(micro: MicroBatch): Promise<Params<TensorData>>;
}

/**
 * −V of each token's state, with V under the critic's values Q = its logits less the frozen model's (`softValue`), and its
 * gradient by the policy's hidden states `x`. Outputs also log-probs, entropies and the values V.
 */
export function softPolicyProgram(model: Model, sampling: SamplingVariant): Program {
  const t = inputsOf(model, ["x", "x.frozen", "x.critic"]);
  const head = (name: keyof typeof t.hidden) => model.language.head(t.weights, t.hidden[name]!);
  const frozen = head("x.frozen");
  const logProbs = samplingLogProbs(head("x"), sampling, t.sampling, t.targets);
  const refLogProbs = samplingLogProbs(frozen, sampling, t.sampling, t.targets);
  const beta = float("beta");
  const value = softValue(logProbs, refLogProbs, sub(head("x.critic"), frozen), beta);
  const loss = sum(mul(t.weight, neg(value)));
  const logProb = takeAlongLastAxis(logProbs, t.targets);
  return {
    inputs: { ...t.hidden, ...t.rows, ...t.sampling, ...t.weightsFed, beta },
    outputs: { loss, logProb, entropy: entropy(logProbs), value, "d.x": grad(loss, [t.hidden["x"]!])[0]! },
  };
}

/**
 * The Huber loss of the critic's value of each token, its logit less the frozen model's, against the token's target, which
 * comes as its advantage; and its gradient by the critic's hidden states `x`. Outputs also the values.
 */
export function softCriticProgram(model: Model): Program {
  const t = inputsOf(model, ["x", "x.frozen"]);
  const picked = (name: keyof typeof t.hidden) =>
    takeAlongLastAxis(model.language.head(t.weights, t.hidden[name]!), t.targets);
  const value = sub(picked("x"), picked("x.frozen"));
  const loss = sum(mul(t.weight, huberLoss(sub(value, t.advantage))));
  return {
    inputs: { ...t.hidden, ...t.rows, advantage: t.advantage, ...t.weightsFed },
    outputs: { loss, value, "d.x": grad(loss, [t.hidden["x"]!])[0]! },
  };
}

function inputsOf(model: Model, names: readonly string[]) {
  const { weights, inputs: weightsFed } = weightInputs(model, model.language.headWeights);
  const targets = ints("targets", "chunk");
  const weight = float("weight", "chunk");
  return {
    hidden: Object.fromEntries(names.map((name) => [name, float(name, "chunk", model.language.width)])),
    rows: { targets, weight },
    ...{ targets, weight, advantage: float("advantage", "chunk") },
    sampling: samplingInputs(model),
    ...{ weights, weightsFed },
  };
}
