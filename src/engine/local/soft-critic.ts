/**
 * The critic of soft Q-learning in the worker: an adapter beside the policy's on the same frozen base, and its slow copy. Both
 * begin with the same weights, whose B is 0, so that every value is 0.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../core/errors.ts";
import { openSafetensors, writeSafetensors } from "../../io/safetensors.ts";
import type { OptimResult, OptimStep } from "../engine.ts";
import { momentsOf } from "./persistence.ts";
import type { WeightStore } from "./weight-store.ts";

const FILE = "critic.safetensors";

/** What of an adapter this needs. */
interface Adapter {
  readonly store: WeightStore;
  optimStep(o: OptimStep): Promise<OptimResult>;
}

export class SoftCriticState<Own extends Adapter> {
  readonly critic: Own;
  readonly target: Own;

  /** `open` makes an adapter with the same weights each time. */
  constructor(open: () => Own) {
    [this.critic, this.target] = [open(), open()];
  }

  /** One update of the critic; its target follows. */
  async step(o: OptimStep, polyak: number): Promise<OptimResult> {
    const result = await this.critic.optimStep(o);
    if (!Number.isFinite(result.gradNorm)) return result;
    const { arrays, values } = this.target.store;
    for (const name of this.critic.store.trainable) arrays.mix(values[name]!, this.critic.store.values[name]!, polyak);
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
