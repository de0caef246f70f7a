/**
 * Sources of answers: each returns answers to questions as they become available, in any order. The local policy is
 * one.
 */
import { encodeQuestion, opensThought, type PromptStyle, type Shots } from "../answers/prompts.ts";
import type { AnswerStyle } from "../answers/tags.ts";
import type { Processor } from "../core/processor.ts";
import type { Example } from "../core/records.ts";
import { policyLength } from "../core/segments.ts";
import type { Policy } from "../engine/engine.ts";
import { type OpenedTools, sampleTrajectories } from "../tools/trajectories.ts";
import { turnRecords } from "../tools/turn-records.ts";
import type { Prediction } from "./answers.ts";
import type { Decoding } from "./conditions.ts";

/** Missing answers: for the example at `index`, those with these numbers, counted from 0. */
export interface Wanted {
  readonly index: number;
  readonly generations: readonly number[];
}

export interface AnswerListener {
  /** An answer is available. */
  onAnswer(index: number, generation: number, prediction: Prediction): void;
  /** No answer is to be had; the reason is the same for failures of one kind, the detail is the server's own. */
  onFailure(index: number, generation: number, reason: string, detail?: string | null): void;
  readonly signal?: AbortSignal | undefined;
}

export interface AnswerSource {
  /** The answer style that the prompt asks for. */
  readonly style: AnswerStyle;
  readonly decoding: Decoding;
  /** Whether prompts end in an opened thought, so that answers begin inside it. */
  opensThought(example: Example): Promise<boolean>;
  /**
   * Requests the wanted answers. An answer depends only on its example, its index and its number, never on what else is
   * wanted. Rejects when continuing is useless; answers already reported remain valid.
   */
  answer(examples: readonly Example[], wanted: readonly Wanted[], listener: AnswerListener): Promise<void>;
}

/** Prompts that are encoded and sampled together; bounds memory. Sampled answers depend on it. */
const GREEDY_CHUNK = 128;
const DRAWN_CHUNK = 32;

/**
 * A local policy. Random keys depend on the place within a fixed chunk, so an interrupted chunk of sampled answers is
 * resampled as a whole.
 */
export function policySource(
  policy: Pick<Policy, "sample">,
  o: {
    readonly processor: Processor;
    readonly prompt: PromptStyle;
    readonly decoding: Decoding;
    /** What answers may call between their turns; absent or null: answers of one turn. */
    readonly tools?: OpenedTools | null;
    /** Solved examples before each question; none by default. */
    readonly shots?: (example: Example) => Shots;
  },
): AnswerSource {
  const { processor, decoding, tools = null } = o;
  const prompt = tools?.prompt ?? o.prompt;
  const encode = (example: Example) => encodeQuestion(processor, example, prompt, o.shots?.(example));
  const isGreedy = decoding.temperature === 0;
  const size = isGreedy ? GREEDY_CHUNK : DRAWN_CHUNK;
  return {
    style: prompt.style,
    decoding,
    opensThought: async (example) => opensThought((await encode(example)).text),
    async answer(examples, wanted, { onAnswer, signal }) {
      const wantedOf = new Map(wanted.map(({ index, generations }) => [index, generations]));
      for (let start = 0; start < examples.length; start += size) {
        signal?.throwIfAborted();
        const chunk = Array.from({ length: Math.min(size, examples.length - start) }, (_, i) => start + i);
        const some = chunk.filter((index) => wantedOf.has(index));
        const asked = isGreedy || some.length === 0 ? some : chunk;
        if (asked.length === 0) continue;
        const prompts = await Promise.all(asked.map((index) => encode(examples[index]!)));
        const sampling = {
          numGenerations: decoding.num_generations,
          maxCompletionLength: decoding.max_completion_length,
          temperature: decoding.temperature,
          topP: decoding.top_p,
          topK: decoding.top_k,
          seed: decoding.seed ?? 0,
          step: isGreedy ? 0 : start / size,
        };
        const items = asked.map((index, i) => ({ example: examples[index]!, prompt: prompts[i]! }));
        const results =
          tools === null
            ? policy.sample(prompts, sampling)
            : (await sampleTrajectories(policy, items, sampling, { ...tools, processor })).map(
                (completions, index) => ({ index, completions }),
              );
        for await (const { index: place, completions } of results) {
          const index = asked[place]!;
          const imageTokens = prompts[place]!.tokenIds.filter((id) => id === processor.imageTokenId).length;
          for (const generation of wantedOf.get(index) ?? []) {
            const completion = completions[generation]!;
            const { text, finishReason, thought, turns, images = [] } = completion;
            const { expert } = prompts[place]!;
            onAnswer(index, generation, {
              ...{ text, tokens: policyLength(completion), finishReason, imageTokens },
              ...(turns === undefined ? {} : { turns: turnRecords(turns, images) }),
              ...(thought === undefined ? {} : { thought }),
              ...(expert === undefined ? {} : { expert }),
            });
          }
        }
      }
    },
  };
}
