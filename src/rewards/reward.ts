/** What a reward is: a name and a score for a whole group of completions at once, because some compare within the group. */
import type { AnswerStyle } from "../answers/tags.ts";
import type { Completion, Evidence, Example } from "../core/records.ts";

/** One value per completion; null where the reward does not apply. Never NaN, never an exception for what a text says. */
export type Scores = readonly (number | null)[];

export interface Reward {
  readonly name: string;
  score(example: Example, completions: readonly Completion[]): Scores | Promise<Scores>;
  /** Where in each completion the reward saw what it judged; for the rollout record and the dashboard. */
  evidence?(example: Example, completions: readonly Completion[]): readonly (readonly Evidence[])[];
}

/** What a run knows about its completions and no reward should be told twice; a reward's own options win. */
export interface RewardContext {
  /** The prompt's style; `think_answer` unless said otherwise. */
  readonly style?: AnswerStyle;
  /** The chat template already opened `<think>`. */
  readonly thinkOpened?: boolean;
  /** In tokens; for length rewards. */
  readonly maxCompletionLength?: number;
}
