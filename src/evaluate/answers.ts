import type { AnswerStyle } from "../answers/tags.ts";

/** Answers as evaluations and baselines exchange them. */

/** What a model said to an example. */
export interface Prediction {
  readonly text: string;
  /** Completion tokens, where known. */
  readonly tokens?: number;
  readonly finishReason?: "stop" | "length";
  /** Of the prompt, where known. */
  readonly imageTokens?: number;
  /** Why there is no answer: the text is empty. */
  readonly error?: string;
  /** What the server itself said of it, where it did. */
  readonly errorDetail?: string;
}

/** One or more predictions for each example, in the examples' order, and the form they were asked for. */
export interface Answers {
  readonly predictions: readonly (readonly Prediction[])[];
  readonly style: AnswerStyle;
  readonly thinkOpened: boolean;
}

/** Answers of baselines, by their names. */
export type BaselineAnswers = Readonly<Record<string, Answers>>;
