/** A model's requests, one after another in the order of their numbers, however they arrive. */
import { UserError } from "../../core/errors.ts";

/** A request waits this long for one before it that has not arrived. */
const GAP_SECONDS = 120;
/** Numbers whose request is remembered, for clients that send one again. */
const REMEMBERED = 4096;

export class Sequence {
  /** The number of the next request. */
  #next = 1;
  #tail: Promise<unknown> = Promise.resolve();
  readonly #waiting = new Map<number, () => void>();

  /** Runs work in its turn; without a number, after all that have arrived. Throws what the work throws. */
  async run<T>(number: number | null, work: () => Promise<T>): Promise<T> {
    if (number !== null && number > this.#next) await this.#turn(number);
    if (number !== null && number < this.#next) {
      throw new UserError(`seq_id ${number} comes too late: ${this.#next} is next`);
    }
    const result = this.#tail.then(work);
    this.#tail = result.catch(() => {});
    if (number !== null) {
      this.#next = number + 1;
      this.#waiting.get(this.#next)?.();
    }
    return result;
  }

  /** Resolves when everything that has arrived is done. */
  async idle(): Promise<void> {
    await this.#tail;
  }

  #turn(number: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(number);
        reject(new UserError(`seq_id ${number} waited ${GAP_SECONDS} s for ${this.#next}, which never came`));
      }, GAP_SECONDS * 1000);
      timer.unref();
      this.#waiting.set(number, () => {
        clearTimeout(timer);
        this.#waiting.delete(number);
        resolve();
      });
    });
  }
}

/** Answers a repeated request as the first time: by its number, the oldest forgotten first. */
export class Answered<T> {
  readonly #known = new Map<number, T>();

  /** The answer to this number, made if it is new; without a number always. */
  once(number: number | null | undefined, make: () => T): T {
    if (number == null) return make();
    const known = this.#known.get(number);
    if (known !== undefined) return known;
    const made = make();
    this.#known.set(number, made);
    if (this.#known.size > REMEMBERED) this.#known.delete(this.#known.keys().next().value!);
    return made;
  }
}
