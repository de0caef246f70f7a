/** Questions that a run's checkpoints are asked one at a time, and their answers as they are decoded. */
import type { ImageRef } from "./records.ts";

/** A question for a checkpoint of a run. */
export interface LiveQuestion {
  /** The run's. */
  readonly folder: string;
  /** Of the checkpoint; null for the newest. */
  readonly step: number | null;
  readonly images: readonly ImageRef[];
  readonly question: string;
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
}

/** The model is kept open for the next question. */
export interface LiveAnswers {
  /** Throws UserError where the checkpoint cannot be opened or another question is being answered. */
  ask(question: LiveQuestion, signal: AbortSignal): AsyncIterable<LiveDelta>;
  close(): Promise<void>;
}
