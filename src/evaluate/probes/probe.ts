/** What a probe is: what it asks of a policy beyond the plain questions, and what the answers come to. */
import type { Vocabulary } from "../../answers/concepts/vocabulary.ts";
import type { PromptStyle } from "../../answers/prompts.ts";
import type { AnswerStyle } from "../../answers/tags.ts";
import type { Processor } from "../../core/processor.ts";
import type { Example } from "../../core/records.ts";
import type { Policy } from "../../engine/engine.ts";
import type { Reward } from "../../rewards/index.ts";
import type { Asked } from "./asked.ts";
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
  /** 0 (greedy) by default. */
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
}

/** A model that scores given texts. */
export interface Scorer {
  readonly policy: Pick<Policy, "logProbs">;
  readonly processor: Processor;
  /** How questions are put, as to the policy. */
  readonly prompt: PromptStyle;
}

/** What a session has for tools. */
export interface ToolServices {
  /** One reward, named and given options as a recipe's. */
  openReward(name: string, options: Readonly<Record<string, unknown>>): Promise<Reward>;
  /** A checkpoint as `viva probe` takes it. */
  openScorer(checkpoint: string): Promise<Scorer>;
}

/** An option of the command line that says what a tool is made of. */
export interface ToolOption {
  /** What stands for the value in the help, as <folder>. */
  readonly value: string;
  readonly about: string;
}

export type ToolOptions = Readonly<Record<string, ToolOption>>;

/** What only some probes need and a user may give, with the options that give it, by their names without dashes. */
export interface ProbeTool<
  Opened = unknown,
  Required extends ToolOptions = ToolOptions,
  Optional extends ToolOptions = ToolOptions,
> {
  /** In a sentence: "--judge-key-env is for a judge". */
  readonly what: string;
  /** All or none are given. */
  readonly required: Required;
  /** Given beside those alone. */
  readonly optional: Optional;
  /** Reads what is given, before any model is opened; what comes back opens the tool. Throws UserError. */
  prepare(
    given: Readonly<Record<keyof Required, string> & Partial<Record<keyof Optional, string>>>,
  ): (services: ToolServices) => Promise<Opened>;
}

/** A tool, whose types follow from its options. */
export function defineTool<Opened, Required extends ToolOptions, Optional extends ToolOptions>(
  tool: ProbeTool<Opened, Required, Optional>,
): ProbeTool<Opened, Required, Optional> {
  return tool;
}

export type ProbeTools = Readonly<Record<string, ProbeTool>>;

/** null for a tool that is not given. */
export type OpenedTools<Tools extends ProbeTools> = {
  readonly [Key in keyof Tools]: Awaited<ReturnType<ReturnType<Tools[Key]["prepare"]>>> | null;
};

export interface Probe<Tools extends ProbeTools = ProbeTools> {
  /** In one line. */
  readonly title: string;
  readonly about: "reasoning" | "bias";
  readonly tools?: Tools;
  /** It reads the training split, where there is one. */
  readonly readsTraining?: true;
  /** A text says why the probe does not apply. */
  plan(context: ProbeContext, tools: OpenedTools<Tools>): ProbePlan | string;
}

/** A probe, which is handed its own tools. */
export function defineProbe<Tools extends ProbeTools>(probe: Probe<Tools>): Probe<Tools> {
  return probe;
}
