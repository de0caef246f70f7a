/** Questions that a run's checkpoints are asked one at a time, and their answers as they are decoded. */
import type { AnswerType, Evidence, ImageRef } from "./records.ts";

/** A question for a checkpoint of a run. */
export interface LiveQuestion {
  /** The run's. */
  readonly folder: string;
  /** Of the checkpoint; null for the newest. */
  readonly step: number | null;
  /** By the paths of the run's data, where they are images of it as they are. */
  readonly images: readonly ImageRef[];
  readonly question: string;
  /** Options in order (A, B, …); empty for none. */
  readonly choices: readonly string[];
  /** What is right, for the run's rewards; null where it is not known. Without a type, the answer says it. */
  readonly reference: { readonly answer: string; readonly answerType?: AnswerType | undefined } | null;
  /** Id of the example of the run whose question this is; null for another. */
  readonly example: string | null;
  readonly samples: number;
  /** 0 is greedy. */
  readonly temperature: number;
  readonly seed: number;
  readonly maxTokens: number;
}

/** The text of a completion so far. */
export interface LiveDelta {
  readonly completion: number;
  readonly text: string;
  readonly done: boolean;
  /** Where done: the parsed answer. */
  readonly answer?: string | null;
  /** Where a reference is known: told once more for every completion when all are done, since some rewards compare. */
  readonly scores?: LiveScores;
}

/** What a run's rewards say of a completion. */
export interface LiveScores {
  /** By name, unweighted; null where one does not apply. */
  readonly rewards: Readonly<Record<string, number | null>>;
  readonly weights: Readonly<Record<string, number>>;
  /** The weighted sum; null where a reward could not be asked, or every one was null. */
  readonly reward: number | null;
  readonly evidence: readonly Evidence[];
  /** Why a reward could not be asked, by name. */
  readonly unasked: Readonly<Record<string, string>>;
  /** Why the facts of the image are not known, without which some rewards are null; null where its row was found. */
  readonly noFacts: string | null;
}

/** The model is kept open for the next question. */
export interface LiveAnswers {
  /** Throws UserError where the checkpoint cannot be opened or another question is being answered. */
  ask(question: LiveQuestion, signal: AbortSignal): AsyncIterable<LiveDelta>;
  close(): Promise<void>;
}
