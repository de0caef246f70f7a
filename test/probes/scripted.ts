/** A scripted policy: the test decides every answer from question, images, prefix, temperature and weights. */
import { type PromptName, promptStyle } from "../../src/answers/prompts.ts";
import type { Processor } from "../../src/core/processor.ts";
import type { Example, ImageRef, Prompt, RolloutResult, SamplingOptions } from "../../src/core/records.ts";
import type { Policy } from "../../src/engine/engine.ts";
import type { Measure } from "../../src/evaluate/probes/measure.ts";
import { findProbes, type RunProbesOptions, runProbes } from "../../src/evaluate/probes/run.ts";
import { openVocabulary } from "../../src/session/reward-services.ts";

/** What the policy sees of one prompt. */
export interface Shown {
  /** Question and options, as formatted by the template. */
  readonly text: string;
  readonly images: readonly ImageRef[];
  /** Prefix of the completion. */
  readonly prefix: string;
  readonly temperature: number;
  /** "float", or what was done to them: "int4", "magnitude 0.3". */
  readonly weights: string;
}

export type Script = (shown: Shown) => string;

export const vocabulary = openVocabulary(null);

/** A question with its own image. */
export function example(id: string, more: Partial<Example> = {}): Example {
  const data = Uint8Array.from({ length: 12 }, (_, i) => (13 * i + 31 * id.charCodeAt(0)) % 256);
  const pixels = { width: 4, height: 3, channels: 1, data } as const;
  return {
    id,
    subjectId: id,
    question: `Is there a nodule in ${id}?`,
    images: [{ path: `${id}.png`, pixels }],
    answer: "yes",
    answerType: "closed",
    choices: [],
    meta: {},
    ...more,
  };
}

/** The results of the named probes, by probe. */
export async function probed(
  names: readonly string[],
  examples: readonly Example[],
  script: Script,
  more: Partial<RunProbesOptions> & { readonly style?: PromptName } = {},
) {
  const seen = new Map<string, Omit<Shown, "temperature" | "weights">>();
  const processor = { encode: encodeInto(seen) } as unknown as Processor;
  const { style = "think_answer", ...options } = more;
  const { results, answers } = await runProbes(policyOf(seen, script, "float"), examples, findProbes(names), {
    processor,
    prompt: promptStyle(style),
    protocol: "viva",
    maxCompletionLength: 32,
    checkpoint: "scripted",
    seed: 5,
    vocabulary,
    train: null,
    tools: {},
    openChanged: async (change) => {
      const weights = change.kind === "quantize" ? `int${change.bits}` : `${change.method} ${change.sparsity}`;
      return { policy: policyOf(seen, script, weights), close: async () => {} };
    },
    ...options,
  });
  return { results, answers, measures: results.flatMap(({ measures }) => measures) };
}

/** The estimate of a measure, null if no question counts; throws if it is missing. */
export function estimate(measures: readonly Measure[], name: string, condition: string | null = null): number | null {
  const found = measures.filter((one) => one.name === name && one.condition === condition);
  if (found.length !== 1) {
    const known = measures.map((one) => `${one.name} (${one.condition})`).join(", ");
    throw new Error(`${found.length} measures ${name} (${condition}); there are ${known}`);
  }
  return found[0]!.interval?.estimate ?? null;
}

function encodeInto(seen: Map<string, Omit<Shown, "temperature" | "weights">>): Processor["encode"] {
  return async (messages, { assistantPrefix = "" } = {}) => {
    const content = messages.flatMap((message) => message.content);
    const text = content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");
    const images = content.flatMap((part) => (part.type === "image" ? [part.image] : []));
    const key = `${seen.size}`;
    seen.set(key, { text, images, prefix: assistantPrefix });
    return { text: key, tokenIds: new Int32Array(1), images: [] };
  };
}

function policyOf(
  seen: ReadonlyMap<string, Omit<Shown, "temperature" | "weights">>,
  script: Script,
  weights: Shown["weights"],
): Pick<Policy, "sample"> {
  return {
    async *sample(prompts: readonly Prompt[], { temperature }: SamplingOptions): AsyncGenerator<RolloutResult> {
      for (const [index, prompt] of [...prompts.entries()].reverse()) {
        const text = script({ ...seen.get(prompt.text)!, temperature, weights });
        const tokenIds = new Int32Array(text.split(" ").length);
        const logProbs = new Float32Array(tokenIds.length);
        yield { index, completions: [{ text, tokenIds, logProbs, finishReason: "stop", policyVersion: 0 }] };
      }
    },
  };
}

/** A completion with a thought; text already in the prefix is not repeated. */
export function completion({ prefix }: Shown, thought: string, answer: string): string {
  return prefix === "" ? `<think>${thought}</think><answer>${answer}</answer>` : `${answer}</answer>`;
}
