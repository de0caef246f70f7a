/** Which examples a step sees: a fresh permutation every epoch, a function of seed, stage and step alone. */

import { messageOf, UserError } from "../core/errors.ts";
import { permutation, randomKey } from "../core/random.ts";
import type { Example, Prompt } from "../core/records.ts";

/** Examples `count` at a time; step counts from 0. Nothing is remembered, so a resumed run goes on exactly. */
export function batchAt(
  examples: readonly Example[],
  o: { readonly seed: number; readonly stage: number; readonly step: number; readonly count: number },
): readonly Example[] {
  const n = examples.length;
  const batch: Example[] = [];
  let epoch = -1;
  let order: Int32Array = new Int32Array(0);
  for (let i = o.step * o.count; i < (o.step + 1) * o.count; i++) {
    if (Math.floor(i / n) !== epoch) {
      epoch = Math.floor(i / n);
      order = permutation(randomKey(o.seed, "batch", o.stage, epoch), n);
    }
    batch.push(examples[order[i % n]!]!);
  }
  return batch;
}

/** Examples that a step has not used yet, in an order of the round's own; fewer than `count` where none are left. */
export function freshExamples(
  examples: readonly Example[],
  o: {
    readonly seed: number;
    readonly stage: number;
    readonly step: number;
    readonly round: number;
    readonly count: number;
    /** Ids. */
    readonly used: ReadonlySet<string>;
  },
): readonly Example[] {
  const order = permutation(randomKey(o.seed, "resample", o.stage, o.step, o.round), examples.length);
  const fresh = Array.from(order, (i) => examples[i]!).filter(({ id }) => !o.used.has(id));
  return fresh.slice(0, o.count);
}

/** An example whose prompt could not be made. */
export interface SkippedExample {
  readonly example_id: string;
  readonly reason: string;
}

export interface EncodedExample {
  readonly example: Example;
  readonly prompt: Prompt;
}

/** Encodes examples' prompts; one that cannot be (a broken image) stops the run with its id, or is skipped and told. */
export async function encodeExamples(
  examples: readonly Example[],
  encode: (example: Example) => Promise<Prompt>,
  onBadImage: "error" | "skip",
  onSkip: (skipped: SkippedExample) => void,
): Promise<readonly EncodedExample[]> {
  const encoded = await Promise.all(
    examples.map(async (example): Promise<EncodedExample | SkippedExample> => {
      try {
        return { example, prompt: await encode(example) };
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        if (onBadImage === "skip") return { example_id: example.id, reason: messageOf(error) };
        throw new UserError(`example "${example.id}": ${messageOf(error)}`, { cause: error });
      }
    }),
  );
  for (const item of encoded) if ("reason" in item) onSkip(item);
  return encoded.filter((item) => "prompt" in item);
}
