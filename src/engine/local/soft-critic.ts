/**
 * The critic of soft Q-learning in the worker: an adapter beside the policy's on the same frozen base, and its slow copy. Both
 * begin with the same weights, whose B is 0, so that every value is 0.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../core/errors.ts";
import { openSafetensors, writeSafetensors } from "../../io/safetensors.ts";
import { adaptedLayers } from "../../models/lora.ts";
import type { Model } from "../../models/model.ts";
import {
  type LogProbOptions,
  type OptimResult,
  type OptimStep,
  SOFT_NEEDS,
  type SoftBatch,
  type SoftResult,
  type SoftStep,
  type TrainingGroup,
} from "../engine.ts";
import { variantOf } from "./head-chunks.ts";
import { momentsOf } from "./persistence.ts";
import type { SharedBase } from "./shared-base.ts";
import { lastStates } from "./soft-pass.ts";
import { type PairHead, softCriticProgram, softPolicyProgram } from "./soft-programs.ts";
import type { WeightStore } from "./weight-store.ts";

const FILE = "critic.safetensors";

/** What of an adapter this needs. */
interface Adapter {
  readonly store: WeightStore;
  optimStep(o: OptimStep): Promise<OptimResult>;
  /** The last hidden states of micro-batches of these groups under its weights. */
  lastStates(groups: readonly TrainingGroup[]): ReturnType<typeof lastStates>;
  /** A forward and backward pass under a head over pairs of hidden states. */
  pairPass(groups: readonly TrainingGroup[], scoring: LogProbOptions, pair: PairHead): Promise<SoftResult>;
}

/** Throws UserError where these weights cannot be a policy with a critic beside it. */
export function requireSoft({ adapterDropout = 0, language }: Model, { values, trainable }: WeightStore): void {
  if (adapterDropout > 0 || adaptedLayers(Object.keys(values)).length === 0) throw new UserError(SOFT_NEEDS);
  if (!language.headWeights.some((name) => trainable.has(name))) return;
  throw new UserError("soft_q: the language model's head is shared with the critic: leave it out of target_modules");
}

export class SoftCriticState {
  readonly critic: Adapter;
  readonly target: Adapter;
  readonly #policy: Adapter;
  readonly #base: SharedBase;

  /** `open` makes an adapter with the same weights each time. */
  constructor(policy: Adapter, base: SharedBase, open: () => Adapter) {
    [this.critic, this.target] = [open(), open()];
    this.#policy = policy;
    this.#base = base;
  }

  /** Accumulates the gradient of −V under the target; `values` are V of each token's state. */
  async policyPass({ groups, scoring, beta }: SoftBatch): Promise<SoftResult> {
    const variant = variantOf(scoring);
    const [frozen, slow] = [await lastStates(this.#base, groups), await this.target.lastStates(groups)];
    return this.#policy.pairPass(groups, scoring, {
      key: `soft_policy.${JSON.stringify(variant)}`,
      program: () => softPolicyProgram(this.#policy.store.model, variant),
      numbers: { beta },
      hidden: async (micro) => ({ "x.frozen": await frozen(micro), "x.critic": await slow(micro) }),
    });
  }

  /** Accumulates the critic's gradient; `values` are its values of the tokens. */
  async criticPass({ groups, scoring }: SoftBatch): Promise<SoftResult> {
    const frozen = await lastStates(this.#base, groups);
    return this.critic.pairPass(groups, scoring, {
      key: "soft_critic",
      program: () => softCriticProgram(this.critic.store.model),
      numbers: {},
      hidden: async (micro) => ({ "x.frozen": await frozen(micro) }),
    });
  }

  /** One update of policy and critic, and the target after it. */
  async step({ policy, critic, polyak }: SoftStep) {
    const results = { policy: await this.#policy.optimStep(policy), critic: await this.#stepCritic(critic, polyak) };
    await this.#base.arrays.memory?.settle();
    return results;
  }

  /** One update of the critic; its target follows. */
  async #stepCritic(o: OptimStep, polyak: number): Promise<OptimResult> {
    const result = await this.critic.optimStep(o);
    if (!Number.isFinite(result.gradNorm)) return result;
    const { arrays, values } = this.target.store;
    const { trainable, values: own } = this.critic.store;
    const of = (weights: typeof values) => [...trainable].map((name) => weights[name]!);
    arrays.mix(of(values), of(own), polyak);
    return result;
  }

  /** Makes all that `save` writes readable. */
  async fetch(): Promise<void> {
    for (const { store } of [this.critic, this.target]) await store.fetch();
  }

  /** Ends that. */
  forget(): void {
    for (const { store } of [this.critic, this.target]) store.forget();
  }

  /** Gives the memory of both adapters free. */
  release(): void {
    for (const { store } of [this.critic, this.target]) store.release();
  }

  /** Writes both adapters and the critic's moments into a folder. */
  save(folder: string): void {
    const { store } = this.critic;
    const { steps, names } = store.optimizer;
    const one = (name: string, shape: readonly number[], data: Float32Array) => ({ name, shape, data });
    const arrays = [...store.trainable].flatMap((name) => {
      const { shape } = store.values[name]!;
      const [own, slow] = [store, this.target.store].map(({ values }) => values[name]!.data as Float32Array);
      return [one(`critic.${name}`, shape, own!), one(`target.${name}`, shape, slow!)];
    });
    const moments = names.flatMap((name) => {
      const { shape } = store.values[name]!;
      return Object.entries(momentsOf(store, name)).map(([kind, data]) => one(`${kind}.${name}`, shape, data));
    });
    writeSafetensors(join(folder, FILE), [one("steps", [1], Float32Array.of(steps)), ...arrays, ...moments], "F32");
  }

  /** Restores what `save` wrote. */
  load(folder: string): void {
    const file = openSafetensors(join(folder, FILE));
    try {
      this.critic.store.restoreOptimizer(file.readFloat32("steps")[0]!);
      for (const name of file.names) {
        const [, kind, weight] = /^(critic|target|first|second)\.(.*)$/.exec(name) ?? [];
        if (kind === undefined) continue;
        const { store } = kind === "target" ? this.target : this.critic;
        if (store.values[weight!] === undefined)
          throw new UserError(`${folder}: ${FILE} has an unknown weight ${name}`);
        const into = kind === "first" || kind === "second" ? store.moments(weight!)[kind] : store.values[weight!]!;
        store.arrays.write(into, file.readFloat32(name));
      }
    } finally {
      file.close();
    }
  }
}

/** Whether a folder holds a critic. */
export function holdsCritic(folder: string): boolean {
  return existsSync(join(folder, FILE));
}
