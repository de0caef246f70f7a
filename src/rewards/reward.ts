/** What a reward is: a name and a score for a whole group of completions at once, because some compare within the group. */
import type { Vocabulary } from "../answers/concepts/vocabulary.ts";
import type { AnswerStyle } from "../answers/tags.ts";
import type { Completion, Evidence, Example, Message, NumericTarget, StepScore } from "../core/records.ts";

/** One value per completion; null where the reward does not apply. Never NaN, never an exception for what a text says. */
export type Scores = readonly (number | null)[];

/** Scores, and of each completion what its parts earned, in order; what a part is, the reward says. */
export interface ScoredSteps {
  readonly scores: Scores;
  readonly steps: readonly (readonly StepScore[])[];
}

/** The smallest and the largest value. */
export type ScoreRange = readonly [number, number];

export interface Reward {
  readonly name: string;
  /** What values it gives, nulls aside; a value outside stops the run. Absent: any finite number. */
  readonly range?: ScoreRange;
  /** Length is what it is about: nobody need be warned that it goes with length. */
  readonly measuresLength?: true;
  /** Compares the completions of a group with each other: a completion alone cannot be scored. */
  readonly comparesGroup?: true;
  score(example: Example, completions: readonly Completion[], log?: RewardLog): Scores | Promise<Scores>;
  /** In place of `score` where a reward also knows which parts of a completion earned what. */
  scoreSteps?(example: Example, completions: readonly Completion[], log?: RewardLog): Promise<ScoredSteps>;
  /** The model that it asks, whose content decides its values; absent for none. */
  readonly folder?: string;
  /** For scores in units that the policy at the start of a stage sets. */
  readonly calibration?: RewardCalibration;
  /** Where in each completion the reward saw what it judged; for the rollout record and the dashboard. */
  evidence?(example: Example, completions: readonly Completion[]): readonly (readonly Evidence[])[];
}

/** A measure of the policy at the start of a stage, which then belongs to the run: it is saved and restored with checkpoints. */
export interface RewardCalibration {
  /** Completions to measure. */
  readonly completions: number;
  /** Measures them; scores are in these units from then on. RunError where they give no unit. */
  measure(samples: readonly ScoredExample[]): Promise<void>;
  /** What was measured; null before. */
  state(): Readonly<Record<string, number>> | null;
  restore(state: Readonly<Record<string, number>>): void;
}

export interface ScoredExample {
  readonly example: Example;
  readonly completions: readonly Completion[];
}

/** Where a reward tells what its scores cannot: a scorer that failed, a verdict that could not be read. */
export interface RewardLog {
  /**
   * Adds to a metric of the step, `reward/<name>/<what>`. The alarm `reward_unread` watches `asked`, the requests to a
   * scorer, `unparsable`, replies without a verdict, and `failed`, requests without a reply.
   */
  count(what: string): void;
  /** A row of events.jsonl. */
  event(record: { readonly event: string } & Readonly<Record<string, string | number>>): void;
}

/** What a run knows about its completions and no reward should be told twice; a reward's own options win. */
export interface RewardContext {
  /** The prompt's style; `think_answer` by default. */
  readonly style?: AnswerStyle;
  /** The chat template already opened `<think>`. */
  readonly thinkOpened?: boolean;
  /** Targets of the numeric questions of the training data; absent where there is no training data. */
  readonly trainTargets?: readonly NumericTarget[];
  /** In tokens; for length rewards. */
  readonly maxCompletionLength?: number;
  /** Synonyms and concepts; without one, answers are compared by their words alone. */
  readonly vocabulary?: Vocabulary;
  /** What rewards use beyond the texts; the layers that own it hand it in. */
  readonly services?: RewardServices;
}

export interface RewardServices {
  /** What a YAML file says; `what` names its kind. Throws UserError naming the file. */
  readYaml(file: string, what: string): unknown;
  /** A language model behind an endpoint. Throws UserError for an address or a key that cannot be used. */
  openChat(options: ChatSettings): Chat;
  /** A sentence encoder in a folder. Throws UserError naming the file. */
  openEncoder(folder: string): Promise<SentenceEncoder>;
  /** A reward model: a run, a checkpoint or a folder. Throws UserError for one without a score head. */
  openScorer(path: string): Promise<CompletionScorer>;
}

export interface CompletionScorer {
  /** Where the model lies. */
  readonly folder: string;
  /** A score per completion, in no particular unit; null for a text that cannot be put to the model. */
  score(example: Example, completions: readonly Completion[]): Promise<Scores>;
}

export interface ChatSettings {
  readonly baseUrl: string;
  readonly model: string;
  /** Name of the environment variable that holds the key; null sends none. */
  readonly apiKeyEnv: string | null;
  readonly timeoutSeconds: number;
  readonly maxRetries: number;
  readonly maxConcurrency: number;
  readonly maxTokens: number;
  /** What the endpoint calls that limit. */
  readonly maxTokensField: "max_tokens" | "max_completion_tokens";
  readonly temperature: number;
  /** Folder of known replies; null is the run's own. */
  readonly cache: string | null;
}

export interface Chat {
  /** The reply's text; rejects with RunError when there is none after all retries. */
  complete(messages: readonly Message[]): Promise<string>;
}

export interface SentenceEncoder {
  /** One vector per text, all of one size. */
  encode(texts: readonly string[]): Promise<readonly Float32Array[]>;
}
