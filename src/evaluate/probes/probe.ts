/** What a probe is: what it asks of a policy beyond the plain questions, and what the answers come to. */
import type { Vocabulary } from "../../answers/concepts/vocabulary.ts";
import type { PromptStyle } from "../../answers/prompts.ts";
import type { AnswerStyle } from "../../answers/tags.ts";
import type { Processor } from "../../core/processor.ts";
import type { Example } from "../../core/records.ts";
import type { Policy } from "../../engine/engine.ts";
import type { Reward } from "../../rewards/index.ts";
import type { Asked } from "./asked.ts";
import type { CalibrationRow } from "./calibration.ts";
import type { Measure } from "./measure.ts";

/** One way of asking that differs from the plain one, in whatever is set. */
export interface Variant {
  /** Variants of equal names are the same asking, made once for all probes. */
  readonly name: string;
  /** Indices of the questions that are asked; absent: all. */
  readonly rows?: readonly number[];
  /** Called when the question is asked, so that changed images do not pile up. */
  readonly change?: (example: Example, index: number) => Example | Promise<Example>;
  /** What the completion begins with; the policy goes on from there, and both together are scored. */
  readonly prefix?: (index: number) => string;
  /** 0, greedy, unless said otherwise. */
  readonly temperature?: number;
  /** Tells draws at one temperature apart. */
  readonly draw?: number;
  readonly weights?: "int8" | "int4";
}

export interface ProbePlan {
  readonly variants: readonly Variant[];
  /** Is handed the answers of each variant, in its rows' order. */
  measure(answers: readonly (readonly Asked[])[]): readonly Measure[] | Promise<readonly Measure[]>;
}

export interface ProbeContext {
  readonly examples: readonly Example[];
  /** The answers to the questions as they are, in the examples' order. */
  readonly plain: readonly Asked[];
  readonly style: AnswerStyle;
  /** Of random choices: which image is the wrong one, how options are ordered, noise. */
  readonly seed: number;
  readonly vocabulary: Vocabulary;
  /** For the question-only baseline. */
  readonly train: readonly Example[] | null;
  readonly tools: ProbeTools;
}

/** What only some probes need and a user may give. */
export interface ProbeTools {
  /** Similarity of a rationale to the reference under a sentence encoder. */
  readonly embedding: Reward | null;
  readonly judge: Reward | null;
  /** Rationales with the verdicts of people. */
  readonly calibration: readonly CalibrationRow[] | null;
  /** The model before tuning; gives log-probs of the token ids of a completion. */
  readonly untuned: Scorer | null;
  /** Whether variants with `weights` can be asked. */
  readonly canQuantize: boolean;
}

/** A model that scores given texts. */
export interface Scorer {
  readonly policy: Pick<Policy, "logProbs">;
  readonly processor: Processor;
  /** How questions are put, as to the policy. */
  readonly prompt: PromptStyle;
}

export interface Probe {
  /** In one line. */
  readonly title: string;
  readonly about: "reasoning" | "bias";
  /** A text says why the probe does not apply. */
  plan(context: ProbeContext): ProbePlan | string;
}
