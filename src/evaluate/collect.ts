/** Collects a source's answers, saving each as it arrives and requesting only missing ones. */
import { messageOf, RunError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import type { AnswerSource } from "./answer-source.ts";
import type { Answers, Prediction } from "./answers.ts";
import type { PartialAnswers } from "./partial.ts";

export interface CollectOptions {
  /** Where answers are saved as they arrive; without it, an interruption loses them. */
  readonly partial?: PartialAnswers | undefined;
  /** What a missing answer does: stop the evaluation (default), or count as wrong under a separate label. */
  readonly unanswered?: "stop" | "count" | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Failure {
  readonly id: string;
  readonly reason: string;
  readonly detail: string | null;
}

/** All answers to all examples. Rejects with RunError, which counts the reasons, where some are not to be had. */
export async function collectAnswers(
  source: AnswerSource,
  examples: readonly Example[],
  { partial, unanswered = "stop", onProgress, signal }: CollectOptions = {},
): Promise<Answers> {
  const generations = source.decoding.num_generations;
  const predictions = examples.map(({ id }) => {
    return Array.from({ length: generations }, (_, generation) => partial?.known.get(id)?.get(generation));
  });
  const left = predictions.map((given) => given.filter((prediction) => prediction === undefined).length);
  let done = left.filter((count) => count === 0).length;
  const failures: Failure[] = [];
  const settle = (index: number, generation: number, prediction: Prediction) => {
    predictions[index]![generation] = prediction;
    left[index]!--;
    if (left[index] === 0) onProgress?.(++done, examples.length);
  };
  const wanted = predictions.flatMap((given, index) => {
    const missing = given.flatMap((prediction, generation) => (prediction === undefined ? [generation] : []));
    return missing.length === 0 ? [] : [{ index, generations: missing }];
  });
  if (done > 0) onProgress?.(done, examples.length);
  try {
    await source.answer(examples, wanted, {
      onAnswer(index, generation, prediction) {
        partial?.append(examples[index]!.id, generation, prediction);
        settle(index, generation, prediction);
      },
      onFailure(index, generation, reason, detail = null) {
        failures.push({ id: examples[index]!.id, reason, detail });
        const own = detail === null ? {} : { errorDetail: detail };
        settle(index, generation, { text: "", error: reason, ...own });
      },
      signal,
    });
  } catch (error) {
    if (!(error instanceof RunError)) throw error;
    throw new RunError(`${messageOf(error)}${kept(partial, predictions)}`, { cause: error });
  }
  if (failures.length > 0 && unanswered === "stop") {
    const counts = [...countBy(failures.map(({ reason }) => reason))].map(([reason, n]) => {
      const said = failures.find((failure) => failure.reason === reason && failure.detail !== null)?.detail;
      return `${n} × ${reason}${said == null ? "" : ` (${said})`}`;
    });
    throw new RunError(
      `${failures.length} of ${examples.length * generations} answers could not be obtained (${counts.join("; ")}; first "${failures[0]!.id}")` +
        `${kept(partial, predictions)}; --count-unanswered scores them as wrong`,
    );
  }
  const thinkOpened = examples.length > 0 && (await source.opensThought(examples[0]!)); // all prompts use the same template
  return { predictions: predictions as readonly (readonly Prediction[])[], style: source.style, thinkOpened };
}

/** How often each text occurs, in order of first occurrence. */
export function countBy(texts: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}

function kept(partial: PartialAnswers | undefined, given: readonly (readonly (Prediction | undefined)[])[]): string {
  const count = given.flat().filter((prediction) => prediction !== undefined && prediction.error === undefined).length;
  if (partial === undefined || count === 0) return "";
  return `; ${count} answers are kept in ${partial.path}; the same command resumes from them`;
}
