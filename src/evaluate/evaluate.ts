/** Evaluates a policy on examples: scores its answers item by item, with the baselines'. */
import type { Vocabulary } from "../answers/concepts/vocabulary.ts";
import type { PromptStyle, Shots } from "../answers/prompts.ts";
import { meanOf } from "../core/mean.ts";
import type { Processor } from "../core/processor.ts";
import type { Example } from "../core/records.ts";
import { type Copies, isSeen, overlapOf } from "../data/index.ts";
import type { Policy } from "../engine/engine.ts";
import type { OpenedTools } from "../tools/trajectories.ts";
import { answerFigures } from "./answer-figures.ts";
import { policySource } from "./answer-source.ts";
import type { Answers, BaselineAnswers } from "./answers.ts";
import { baselineAnswers, trainBaselines } from "./baselines.ts";
import { bootstrapMean } from "./bootstrap.ts";
import { type CollectOptions, collectAnswers, countBy } from "./collect.ts";
import { type Conditions, type Decoding, decodingOf } from "./conditions.ts";
import { factScore, summariseScores } from "./facts.ts";
import type { ProtocolName } from "./names.ts";
import { numberFigures, numberIn } from "./number-figures.ts";
import { summariseReasoning } from "./reasoning/index.ts";
import { summariseSampled } from "./sampled.ts";
import { type EvalItem, scoreBaselines, scoreItems } from "./score.ts";
import { subgroupFigures } from "./subgroup-gaps.ts";
import { type EvalSummary, type OverlapSummary, summarise } from "./summary.ts";
import { yesNoFigures, yesOf } from "./yes-no.ts";

/** Settings and facts about answers, whatever their source. */
export interface ScoringOptions {
  /** Default "viva". */
  readonly protocol?: ProtocolName;
  /** Name of the checkpoint, or of the file of answers, recorded in every item. */
  readonly checkpoint: string;
  /** Training examples for the baselines; null for none. */
  readonly train: readonly Example[] | null;
  /** What the model was trained on, as far as it is known: `train` by default. */
  readonly seen?: readonly Example[];
  /** Images of the questions that have the pixels of a seen one under another name. */
  readonly copies?: Copies;
  /** Why more of it is not known; null where all is. */
  readonly unseen?: string | null;
  /** Further baselines, answered already: the nearest neighbour, the untuned model. */
  readonly beside?: BaselineAnswers;
  /** Validation questions, which choose the best baseline, and what the baselines of `beside` answer to them. */
  readonly validation?: { readonly examples: readonly Example[]; readonly beside: BaselineAnswers };
  /** Probabilities of "yes" in the examples' order, by predictor: closed questions are then measured as a test too, as with `subgroups`. */
  readonly yes?: Readonly<Record<string, readonly (number | null)[]>>;
  /** With `yes`: false alarms that a missed yes costs; default 5. */
  readonly missedCost?: number;
  /** Strata of `meta` whose groups are compared in yes/no questions. */
  readonly subgroups?: readonly string[];
  /** Numbers in the examples' order, by predictor, beside the model's. */
  readonly numbers?: Readonly<Record<string, readonly (number | null)[]>>;
  /** Recorded in the summary, so that comparisons can check them. */
  readonly conditions?: Conditions;
  /** Runs tried to choose the settings of the run that is evaluated; recorded likewise. */
  readonly tuningTrials?: number;
  /** If given, reasoning about images with known facts is checked against them. */
  readonly vocabulary?: Vocabulary;
}

export interface AnsweringOptions extends CollectOptions {
  readonly processor: Processor;
  readonly prompt: PromptStyle;
  /** What answers may call between their turns. */
  readonly tools?: OpenedTools | null;
  readonly maxCompletionLength: number;
  /** Default greedy. */
  readonly decoding?: Decoding;
  /** Solved examples before each question; none by default. */
  readonly shots?: (example: Example) => Shots;
}

export type EvaluationOptions = ScoringOptions & AnsweringOptions;

export interface Evaluation {
  readonly items: readonly EvalItem[];
  readonly summary: EvalSummary;
}

/** Asks each question and scores the answers under one protocol. */
export async function evaluatePolicy(
  policy: Pick<Policy, "sample">,
  examples: readonly Example[],
  o: EvaluationOptions,
): Promise<Evaluation> {
  return evaluateAnswers(examples, await answerQuestions(policy, examples, o), o);
}

/** The policy's answers to each question; default greedy. */
export function answerQuestions(
  policy: Pick<Policy, "sample">,
  examples: readonly Example[],
  o: AnsweringOptions,
): Promise<Answers> {
  const { processor, prompt, tools = null, decoding = decodingOf(o), shots } = o;
  const own = { processor, prompt, tools, decoding, ...(shots === undefined ? {} : { shots }) };
  return collectAnswers(policySource(policy, own), examples, o);
}

/**
 * Scores answers under one protocol; with several answers per question, the first is the item, and all count for
 * pass@k.
 */
export function evaluateAnswers(examples: readonly Example[], answers: Answers, o: ScoringOptions): Evaluation {
  const { protocol = "viva", train, seen = train ?? [], unseen = null, beside = {}, yes, numbers = {} } = o;
  const { conditions, vocabulary, tuningTrials: tuning_trials } = o;
  const { predictions, style, thinkOpened } = answers;
  const scored = scoreItems(examples, predictions, { protocol, style, thinkOpened, checkpoint: o.checkpoint });
  const knows = vocabulary !== undefined && style !== "answer_only"; // its prompt asks for no reasoning
  const statements = examples.map((example, i) =>
    knows ? factScore(example, scored[i]!.prediction, { style, vocabulary }) : null,
  );
  const items = scored.map((item, i): EvalItem => {
    const said = statements[i]!;
    if (said === null) return item;
    const { right, wrong, asserted, invented } = said;
    return { ...item, statements: { right, wrong, asserted, invented } };
  });
  const count = train === null ? null : trainBaselines(train);
  const baselinesOf = (asked: readonly Example[], further: BaselineAnswers) => {
    const counted = count === null ? {} : baselineAnswers(asked, count);
    return scoreBaselines(asked, { ...counted, ...further }, protocol);
  };
  const { examples: validating, beside: validated } = o.validation ?? { examples: [], beside: {} };
  const validation = validating.length === 0 ? {} : baselinesOf(validating, validated);
  const summary = summarise(items, baselinesOf(examples, beside), { validation });
  const sampled = summariseSampled(examples, answers, protocol);
  const facts = summariseScores(examples, statements);
  const texts = items.map(({ prediction }) => prediction);
  const reasoning = knows ? summariseReasoning(examples, texts, { style, vocabulary }) : null;
  const overlap = summariseOverlap(seen, examples, items, o.copies);
  const own = items.map((item, i) => numberIn(item, examples[i]!));
  const figures = numberFigures(examples, { model: own, ...numbers });
  const further = answerFigures(examples, items, style);
  const said = items.map(yesOf);
  const gaps = subgroupFigures(examples, said, o.subgroups ?? []);
  const isTest = yes !== undefined || gaps.length > 0;
  const yesNo = isTest ? yesNoFigures(examples, { model: said, ...yes }, o.missedCost) : null;
  const thoughts = thoughtFigures(items);
  const experts = countBy(items.flatMap(({ expert }) => (expert === undefined ? [] : [expert ?? ""])));
  const unanswered = countBy(predictions.flat().flatMap(({ error }) => error ?? []));
  return {
    items,
    summary: {
      ...summary,
      protocol,
      ...(tuning_trials === undefined ? {} : { tuning_trials }),
      ...(conditions === undefined ? {} : { conditions: withImageTokens(conditions, predictions) }),
      ...(sampled === null ? {} : { sampled }),
      ...(facts === null ? {} : { facts }),
      ...(reasoning === null ? {} : { reasoning }),
      ...(overlap === null ? {} : { overlap }),
      ...(unseen === null ? {} : { overlap_unknown: unseen }),
      ...(yesNo === null ? {} : { yes_no: yesNo }),
      ...(gaps.length === 0 ? {} : { subgroups: gaps }),
      ...(figures === null ? {} : { numbers: figures }),
      ...(further === null ? {} : { figures: further }),
      ...(thoughts === null ? {} : { thoughts }),
      ...(experts.size === 0 ? {} : { experts: Object.fromEntries(experts) }),
      ...(unanswered.size === 0 ? {} : { unanswered: Object.fromEntries(unanswered) }),
    },
  };
}

function thoughtFigures(items: readonly EvalItem[]): NonNullable<EvalSummary["thoughts"]> | null {
  const known = items.flatMap(({ thought, tokens = 0 }) => (thought === undefined ? [] : [{ ...thought, tokens }]));
  if (known.length === 0) return null;
  return {
    stopped: meanOf(known.map(({ sentences }) => (sentences === null ? 0 : 1))),
    tokens: meanOf(known.map(({ tokens }) => tokens)),
    trial_tokens: meanOf(known.map(({ trial_tokens }) => trial_tokens)),
  };
}

function summariseOverlap(
  seen: readonly Example[],
  examples: readonly Example[],
  items: readonly EvalItem[],
  copies?: Copies,
): OverlapSummary | null {
  const overlap = overlapOf(seen, examples, copies);
  if (overlap === null) return null;
  const shared = isSeen(seen, copies);
  const others = items.filter((_, i) => !shared(examples[i]!));
  const subjects = others.map(({ subject_id }) => subject_id);
  const strict = others.map((item) => item.strict);
  return { ...overlap, unshared: others.length === 0 ? null : bootstrapMean(strict, subjects, {}) };
}

/** Image tokens are known once the questions have been encoded. */
function withImageTokens(conditions: Conditions, predictions: Answers["predictions"]): Conditions {
  const counts = predictions.map(([first]) => first?.imageTokens);
  if (conditions.images === null || counts.some((count) => count === undefined)) return conditions;
  const tokens = counts.reduce<number>((sum, count) => sum + count!, 0);
  return { ...conditions, images: { ...conditions.images, tokens } };
}
