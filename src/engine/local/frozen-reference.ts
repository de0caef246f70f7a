/** The policy as it was when it was frozen: shares with the policy what is not trained, and owns the rest. */
import type { Params } from "../../compiler/tensor.ts";
import type { TensorData } from "../../core/tensor-data.ts";
import type { Arrays } from "./arrays/arrays.ts";
import type { WeightStore } from "./weight-store.ts";

export class FrozenReference {
  readonly #arrays: Arrays;
  #values: Params<TensorData> | null = null;
  /** Copies, and what was read from files. */
  #own: readonly TensorData[] = [];

  constructor(arrays: Arrays) {
    this.#arrays = arrays;
  }

  /** Null where none is frozen. */
  get values(): Params<TensorData> | null {
    return this.#values;
  }

  /** Takes the place of what was frozen before; null frees it. The values of trained weights are its own from here on. */
  freeze(values: Params<TensorData> | null, { trainable }: Pick<WeightStore, "trainable">): void {
    this.#arrays.release(this.#own);
    this.#values = values;
    this.#own = values === null ? [] : [...trainable].map((name) => values[name]!);
  }

  /** Makes its own values readable, where they lie on a device. */
  async fetch(): Promise<void> {
    await this.#arrays.fetch(this.#own, "reference");
  }

  /** Ends that. */
  forget(): void {
    this.#arrays.forget(this.#own);
  }
}
