import type { AnswerStyle } from "../answers/tags.ts";
import type { ThoughtEnd } from "../core/records.ts";
import type { TurnRecord } from "../tools/turn-records.ts";

/** The form in which evaluations and baselines exchange answers. */

/** A model's answer to an example. */
export interface Prediction {
  readonly text: string;
  /** Completion tokens, if known. */
  readonly tokens?: number;
  readonly finishReason?: "stop" | "length";
  /** Image tokens of the prompt, if known. */
  readonly imageTokens?: number;
  /** With tools: every turn, its call and what came back; `text` is the last turn's. */
  readonly turns?: readonly TurnRecord[];
  /** How its thought ended, where one could be ended early. */
  readonly thought?: ThoughtEnd;
  /** The adapter that answered, where questions are routed; null for the model's own weights. */
  readonly expert?: string | null;
  /** Why there is no answer; the text is then empty. */
  readonly error?: string;
  /** What the server itself said of it, where it did. */
  readonly errorDetail?: string;
}

/** One or more predictions per example, in the examples' order, and the style that was asked for. */
export interface Answers {
  readonly predictions: readonly (readonly Prediction[])[];
  readonly style: AnswerStyle;
  readonly thinkOpened: boolean;
}

/** Answers of baselines, by name. */
export type BaselineAnswers = Readonly<Record<string, Answers>>;
