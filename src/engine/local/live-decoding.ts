/** Live decoding under weights that others may forget: a decoder is there while anything is decoded, and the weights stay as long. */
import type { Params } from "../../compiler/tensor.ts";
import type { TensorData } from "../../core/tensor-data.ts";
import type { DecodeJob, Decoder } from "./decoder.ts";
import type { LentWeights } from "./merged-model.ts";

export class LiveDecoding {
  readonly #lend: () => LentWeights;
  readonly #open: (values: () => Promise<Params<TensorData>>) => Decoder;
  #decoder: Decoder | null = null;
  #lent: LentWeights | null = null;

  /** `lend` is called when the first job begins, not when it is added. */
  constructor(lend: () => LentWeights, open: (values: () => Promise<Params<TensorData>>) => Decoder) {
    this.#lend = lend;
    this.#open = open;
  }

  /** Adds to what `advance` decodes; returns a function that cancels one completion, or all. */
  add(job: DecodeJob): (completion?: number) => void {
    this.#decoder ??= this.#open(() => {
      this.#lent ??= this.#lend();
      return this.#lent.values;
    });
    return this.#decoder.add(job);
  }

  /** Decodes one token for every open completion; returns whether any are left. An error ends all completions. */
  async advance(): Promise<boolean> {
    try {
      await this.#decoder?.advance();
    } catch (error) {
      this.#decoder?.fail(error as Error);
    }
    if (!this.decoding) this.end();
    return this.decoding;
  }

  /** Whether `advance` has anything left to decode. */
  get decoding(): boolean {
    return this.#decoder?.idle === false;
  }

  end(): void {
    this.#decoder = null;
    this.#lent?.end();
    this.#lent = null;
  }
}
