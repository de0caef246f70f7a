/**
 * Losses over pairs of completions: one number per row, made by a readout, and a small loss of these numbers per method. Losses
 * are graph nodes, so that their gradients follow; they are evaluated on the host in float64, a few numbers per pair.
 */
import type * as z from "zod";
import { grad } from "../../compiler/grad.ts";
import { interpret } from "../../compiler/interpret.ts";
import { concat, logSoftmax, mul, reshape, slice, sum } from "../../compiler/ops/index.ts";
import { constant, input, type Tensor } from "../../compiler/tensor.ts";
import { float32, type TensorData } from "../../core/tensor-data.ts";
import type { OptionValues } from "../algorithm.ts";

/** What a row of a pair is: a completion under a prompt. */
export const roles = ["chosen", "rejected", "chosen_corrupted", "chosen_violated", "rejected_satisfied"] as const;
export type Role = (typeof roles)[number];

/** `implicit_reward`: beta·Σ(logp − ref) over the row's tokens; `score`: what the score head says at its last token. */
export type Readout = "implicit_reward" | "score";

/** Numbers of the rows, [pairs] per role. */
export type RoleTensors<R extends Role = Role> = Readonly<Record<R, Tensor>>;

export interface PairwiseAlgorithm<Options extends z.ZodRawShape = z.ZodRawShape, R extends Role = Role> {
  /** The rows that it needs of every pair; chosen and rejected come first. */
  readonly roles: readonly R[];
  readonly readout: Readout;
  /** Its own keys of a stage, as recipes spell them, with defaults. */
  readonly options: Options;
  /** Defaults of the stage's keys where they are not those of every kind. */
  readonly defaults: Readonly<Record<string, number | string>>;
  /** The loss of each pair, [pairs]. */
  loss(s: RoleTensors<R>, o: OptionValues<Options>): Tensor;
}

/** A pairwise algorithm, whose types follow from its roles and options. */
export function definePairwise<Options extends z.ZodRawShape, const R extends Role>(
  algorithm: PairwiseAlgorithm<Options, R>,
): PairwiseAlgorithm<Options, R> {
  return algorithm;
}

/** log σ(x) of [n], without overflow for either sign: the log-softmax of x beside 0. */
export function logSigmoid(x: Tensor): Tensor {
  const [n] = x.shape as readonly [number];
  const beside = concat([reshape(x, [n, 1]), constant(float32([n, 1], new Float32Array(n)))], 1);
  return reshape(slice(logSoftmax(beside), 1, 0, 1), [n]);
}

/** Numbers of the rows by role, one per pair. */
export type RoleScores = Readonly<Partial<Record<Role, readonly number[]>>>;

export interface PairLoss {
  /** Σ weight x loss of the pairs. */
  readonly loss: number;
  /** Of each pair, without its weight. */
  readonly losses: readonly number[];
  /** ∂loss/∂s of every row, by role. */
  readonly gradients: RoleScores;
}

/** The weighted loss of pairs and its gradient by the numbers of their rows. */
export function pairLoss(
  algorithm: PairwiseAlgorithm,
  scores: RoleScores,
  weights: readonly number[],
  options: Readonly<Record<string, unknown>>,
): PairLoss {
  const n = weights.length;
  if (n === 0) return { loss: 0, losses: [], gradients: Object.fromEntries(algorithm.roles.map((role) => [role, []])) };
  const vector = (values: readonly number[]): TensorData => ({
    dtype: "float64",
    shape: [n],
    data: Float64Array.from(values),
  });
  const inputs = Object.fromEntries(algorithm.roles.map((role) => [role, input(role, "float32", [n])])) as RoleTensors;
  const weight = input("weight", "float32", [n]);
  const losses = algorithm.loss(inputs, options);
  const loss = sum(mul(weight, losses));
  const gradients = grad(
    loss,
    algorithm.roles.map((role) => inputs[role]),
  );
  const outputs = {
    loss,
    losses,
    ...Object.fromEntries(algorithm.roles.map((role, i) => [`d.${role}`, gradients[i]!])),
  };
  const feeds = {
    weight: vector(weights),
    ...Object.fromEntries(algorithm.roles.map((role) => [role, vector(scores[role]!)])),
  };
  const found = interpret({ inputs: { ...inputs, weight }, outputs }, feeds, { precision: "float64" });
  const numbers = (name: string) => [...(found[name]!.data as Float64Array)];
  return {
    loss: numbers("loss")[0]!,
    losses: numbers("losses"),
    gradients: Object.fromEntries(algorithm.roles.map((role) => [role, numbers(`d.${role}`)])),
  };
}
