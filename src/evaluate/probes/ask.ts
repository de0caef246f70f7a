/** Asks a policy one variant of the questions, in chunks, and scores its answers. */
import { encodeQuestion, opensThought, type PromptStyle } from "../../answers/prompts.ts";
import type { Processor } from "../../core/processor.ts";
import type { Example, Prompt } from "../../core/records.ts";
import type { Policy } from "../../engine/engine.ts";
import type { ProtocolName } from "../names.ts";
import { scoreItems } from "../score.ts";
import type { Asked } from "./asked.ts";
import type { Variant } from "./probe.ts";

export interface AskOptions {
  readonly processor: Processor;
  readonly prompt: PromptStyle;
  /** Maximum completion tokens, excluding a prefix. */
  readonly maxCompletionLength: number;
  readonly protocol: ProtocolName;
  /** Name of the checkpoint, recorded in every item. */
  readonly checkpoint: string;
  /** Sampling seed, used above temperature 0. */
  readonly seed: number;
  /** Called after every answer. */
  readonly onAnswer?: () => void;
  readonly signal?: AbortSignal;
}

/** Prompts that are encoded and sampled together; bounds memory. */
const CHUNK = 128;

/** The answers in the order of the variant's rows. */
export async function askVariant(
  policy: Pick<Policy, "sample">,
  examples: readonly Example[],
  variant: Variant,
  o: AskOptions,
): Promise<readonly Asked[]> {
  const rows = variant.rows ?? examples.map((_, i) => i);
  const asked: Asked[] = [];
  for (let start = 0; start < rows.length; start += CHUNK) {
    o.signal?.throwIfAborted();
    const chunk = rows.slice(start, start + CHUNK);
    const { change = (example: Example) => example, prefix = () => "" } = variant;
    const changed = await Promise.all(chunk.map(async (index) => change(examples[index]!, index)));
    const prefixes = chunk.map(prefix);
    const prompts = await Promise.all(changed.map((example, i) => encodePrefixed(example, prefixes[i]!, o)));
    const { temperature = 0, topP = 1, draw = 0, lengthShare = 1 } = variant;
    const decoding = { numGenerations: 1, temperature, topP, topK: 0, seed: o.seed, step: draw * 1e6 + start };
    const maxCompletionLength = Math.max(1, Math.floor(lengthShare * o.maxCompletionLength));
    for await (const { index, completions } of policy.sample(prompts, { ...decoding, maxCompletionLength })) {
      const { text, tokenIds, finishReason } = completions[0]!;
      const prediction = { text: prefixes[index]! + text, tokens: tokenIds.length, finishReason };
      const { protocol, checkpoint } = o;
      const thinkOpened = prefixes[index] === "" && opensThought(prompts[index]!.text);
      const scoring = { protocol, checkpoint, style: o.prompt.style, thinkOpened };
      const [item] = scoreItems([changed[index]!], [prediction], scoring);
      asked[start + index] = { index: chunk[index]!, example: { ...changed[index]!, images: [] }, item: item! };
      o.onAnswer?.();
    }
  }
  return asked;
}

function encodePrefixed(example: Example, prefix: string, { processor, prompt }: AskOptions): Promise<Prompt> {
  const assistant_prefix = (prompt.assistant_prefix ?? "") + prefix;
  return encodeQuestion(processor, example, { ...prompt, assistant_prefix });
}
