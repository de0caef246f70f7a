/** The interface of probes: what they ask a policy beyond the plain questions, and how they measure the answers. */
import type { Vocabulary } from "../../answers/concepts/vocabulary.ts";
import type { PromptStyle } from "../../answers/prompts.ts";
import type { AnswerStyle } from "../../answers/tags.ts";
import type { Processor } from "../../core/processor.ts";
import type { Example } from "../../core/records.ts";
import type { Policy } from "../../engine/engine.ts";
import type { Reward } from "../../rewards/index.ts";
import type { Divergence } from "../metrics/flips.ts";
import type { Asked } from "./asked.ts";
import type { Measure } from "./measure.ts";
import type { ToolOptions, ToolWords } from "./tool-options.ts";

/** What is done to the policy's matrices before it is asked. */
export type WeightChange =
  | { readonly kind: "quantize"; readonly bits: 8 | 4; readonly search?: boolean }
  | {
      readonly kind: "prune";
      readonly method: "magnitude" | "random" | "wanda" | "gradient";
      readonly sparsity: number;
    };

/** A variant of the questions: differs from plain in each field that is set. */
export interface Variant {
  /** Variants of equal names are identical and asked once for all probes. */
  readonly name: string;
  /** Indices of the questions to ask; default all. */
  readonly rows?: readonly number[];
  /** Called when the question is asked, so that changed images do not accumulate in memory. */
  readonly change?: (example: Example, index: number) => Example | Promise<Example>;
  /** Prefix of the completion; the policy continues from it, and both are scored together. */
  readonly prefix?: (index: number) => string;
  /** Default 0 (greedy). */
  readonly temperature?: number;
  /** Distinguishes samples at one temperature. */
  readonly draw?: number;
  /** Default 1. */
  readonly topP?: number;
  /** Part of the tokens that an answer may have; default 1. */
  readonly lengthShare?: number;
  readonly weights?: WeightChange;
  /** Where divergences are measured, also at the temperature that brings the changed weights nearest. */
  readonly seeksTemperature?: boolean;
}

export interface ProbePlan {
  readonly variants: readonly Variant[];
  /** Whether token probabilities under changed weights are to be compared with the policy's own. */
  readonly diverges?: true;
  /** Receives the answers of each variant, in its rows' order, and by name what was asked of its token probabilities. */
  measure(
    answers: readonly (readonly Asked[])[],
    divergences: ReadonlyMap<string, Divergence>,
  ): readonly Measure[] | Promise<readonly Measure[]>;
}

export interface ProbeContext {
  readonly examples: readonly Example[];
  /** The answers to the plain questions, in the examples' order. */
  readonly plain: readonly Asked[];
  readonly style: AnswerStyle;
  /** Seed of random choices: the wrong image, the order of options, noise. */
  readonly seed: number;
  readonly vocabulary: Vocabulary;
  /** Moves an example's images, within ε of 0 to 1, against the model; null or absent where nothing can. */
  readonly attack?: Attack | null;
  /** Training examples, for the question-only baseline. */
  readonly train: readonly Example[] | null;
}

export type Attack = (
  example: Example,
  o: { readonly epsilon: number; readonly alpha: number; readonly steps: number },
) => Promise<Example>;

/** A model that scores given texts. */
export interface Scorer {
  readonly policy: Pick<Policy, "logProbs">;
  readonly processor: Processor;
  /** The prompt style, same as the policy's. */
  readonly prompt: PromptStyle;
}

/** What a session offers to tools. */
export interface ToolServices {
  /** Opens a reward by name and options, as in a recipe. */
  openReward(name: string, options: Readonly<Record<string, unknown>>): Promise<Reward>;
  /** Opens a checkpoint, specified as for `viva probe`. */
  openScorer(checkpoint: string): Promise<Scorer>;
}

/** An optional resource of some probes, with the options that configure it, by name without dashes. */
export interface ProbeTool<
  Opened = unknown,
  Required extends ToolOptions = ToolOptions,
  Optional extends ToolOptions = ToolOptions,
> extends ToolWords<Required, Optional> {
  /** Reads the options before any model is opened; the returned function opens the tool. Throws UserError. */
  prepare(
    given: Readonly<Record<keyof Required, string> & Partial<Record<keyof Optional, string>>>,
  ): (services: ToolServices) => Promise<Opened>;
}

/** Defines a tool; its types are inferred from its options. */
export function defineTool<Opened, Required extends ToolOptions, Optional extends ToolOptions>(
  tool: ProbeTool<Opened, Required, Optional>,
): ProbeTool<Opened, Required, Optional> {
  return tool;
}

export type ProbeTools = Readonly<Record<string, ProbeTool>>;

/** null for a tool that is not configured. */
export type OpenedTools<Tools extends ProbeTools> = {
  readonly [Key in keyof Tools]: Awaited<ReturnType<ReturnType<Tools[Key]["prepare"]>>> | null;
};

export interface Probe<Tools extends ProbeTools = ProbeTools> {
  /** Title in one line. */
  readonly title: string;
  readonly about: "reasoning" | "bias";
  readonly tools?: Tools;
  /** Whether it uses the training split, if there is one. */
  readonly readsTraining?: true;
  /** Asks so often that it runs only when it is named. */
  readonly onlyNamed?: true;
  /** Returns a text if the probe does not apply, saying why. */
  plan(context: ProbeContext, tools: OpenedTools<Tools>): ProbePlan | string;
}

/** Defines a probe; it receives its own tools. */
export function defineProbe<Tools extends ProbeTools>(probe: Probe<Tools>): Probe<Tools> {
  return probe;
}
