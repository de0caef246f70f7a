/** Scores predictions item by item: one line of evals.jsonl each, so that flips and paired tests need nothing else. */
import { chosenOption, rightOption } from "../answers/choice.ts";
import { normalisedTokens } from "../answers/normalise.ts";
import { exactMatch, tokenF1 } from "../answers/open.ts";
import { bleu1, rougeL, tokenRecall } from "../answers/overlap.ts";
import type { ParsedAnswer } from "../answers/parse.ts";
import { type AnswerStyle, followsStyle } from "../answers/tags.ts";
import type { AnswerType, Example } from "../core/records.ts";
import type { TurnRecord } from "../tools/turn-records.ts";
import type { BaselineAnswers, Prediction } from "./answers.ts";
import type { ProtocolName } from "./names.ts";
import { protocols } from "./protocols/index.ts";

/** One item of an evaluation, a row of evals.jsonl. */
export interface EvalItem {
  readonly checkpoint: string;
  readonly protocol: string;
  readonly example_id: string;
  readonly subject_id: string;
  /** Names of its images: paths, or those of generated ones. */
  readonly images?: readonly string[];
  readonly question: string;
  readonly answer: string;
  readonly answer_type: AnswerType;
  /** The example's meta: modality, organ, content_type… */
  readonly strata: Readonly<Record<string, string>>;
  readonly prediction: string;
  /** All answers, if there are several; `prediction` is the first. */
  readonly predictions?: readonly string[];
  /** The strictly parsed answer with its character span; null if there is none. */
  readonly parsed_answer: ParsedAnswer | null;
  /** 1 or 0, by the strictly parsed answer. */
  readonly strict: 0 | 1;
  /** 1 or 0, by the leniently parsed answer. */
  readonly lenient: 0 | 1;
  /** Of the strictly parsed answer against the reference, in [0, 1]. */
  readonly token_f1: number;
  /** 1 if the strictly parsed answer equals the reference after normalisation, in every protocol. */
  readonly exact_match: 0 | 1;
  /** Fraction of the reference's words in the strictly parsed answer; like BLEU-1 and ROUGE-L in [0, 1]. */
  readonly recall: number;
  readonly bleu_1: number;
  readonly rouge_l: number;
  /** No strictly parsed answer, or one that matches no possible answer. */
  readonly parse_failure: boolean;
  /** The whole completion keeps to the style and its answer can be read. */
  readonly format: boolean;
  /** Statements of the reasoning about an image of known facts: true and false ones; findings asserted, and not there. */
  readonly statements?: {
    readonly right: number;
    readonly wrong: number;
    readonly asserted: number;
    readonly invented: number;
  };
  /** With tools: every turn, its call and what came back. */
  readonly turns?: readonly TurnRecord[];
  readonly tokens?: number;
  readonly finish_reason?: "stop" | "length";
  /** Where thoughts could be ended early: after how many sentences this one was, if at all, and what the trials cost. */
  readonly thought?: { readonly sentences: number | null; readonly trials: number; readonly trial_tokens: number };
  /** Where questions are routed: the expert that answered, null for the model's own weights. */
  readonly expert?: string | null;
  /** Why there is no answer. */
  readonly error?: string;
  /** What the server itself said of it. */
  readonly error_detail?: string;
}

export interface ScoreOptions {
  /** Default "viva". */
  readonly protocol?: ProtocolName;
  readonly style?: AnswerStyle;
  readonly thinkOpened?: boolean;
  readonly checkpoint?: string;
}

/**
 * Scores the predictions, one or several per example in the same order, under one protocol; of several, the first
 * counts.
 */
export function scoreItems(
  examples: readonly Example[],
  predictions: readonly (string | Prediction | readonly Prediction[])[],
  options: ScoreOptions = {},
): readonly EvalItem[] {
  if (examples.length !== predictions.length) {
    throw new Error(`internal: scoreItems: ${predictions.length} predictions for ${examples.length} examples`);
  }
  return examples.map((example, i) => {
    const given = predictions[i]!;
    if (typeof given === "string") return scoreItem(example, { text: given }, options);
    if ("text" in given) return scoreItem(example, given, options);
    const item = scoreItem(example, given[0]!, options);
    return given.length === 1 ? item : { ...item, predictions: given.map(({ text }) => text) };
  });
}

/** The items of the baselines' answers, by baseline name. */
export function scoreBaselines(
  examples: readonly Example[],
  baselines: BaselineAnswers,
  protocol: ProtocolName = "viva",
): Readonly<Record<string, readonly EvalItem[]>> {
  const scored = Object.entries(baselines).map(([name, { predictions, style, thinkOpened }]) => {
    const options = { protocol, style, thinkOpened, checkpoint: `baseline:${name}` };
    return [name, scoreItems(examples, predictions, options)] as const;
  });
  return Object.fromEntries(scored);
}

function scoreItem(
  example: Example,
  { text, turns, tokens, finishReason, thought, expert, error, errorDetail }: Prediction,
  options: ScoreOptions,
): EvalItem {
  const { protocol = "viva", style = "think_answer", thinkOpened = false, checkpoint = "" } = options;
  const strict = protocols[protocol].strict(example, text, style, thinkOpened);
  const answer = strict.answer === null ? null : answerText(example, strict.answer.text);
  const [given, wanted] = [normalisedTokens(answer ?? ""), normalisedTokens(example.answer)];
  return {
    checkpoint,
    protocol,
    example_id: example.id,
    subject_id: example.subjectId,
    ...(example.images.length === 0 ? {} : { images: example.images.map(({ path }) => path) }),
    question: example.question,
    answer: example.answer,
    answer_type: example.answerType,
    strata: example.meta,
    prediction: text,
    parsed_answer: strict.answer,
    strict: strict.correct ? 1 : 0,
    lenient: protocols[protocol].lenient(example, text, style, thinkOpened).correct ? 1 : 0,
    token_f1: answer === null ? 0 : tokenF1(answer, example.answer),
    exact_match: answer !== null && isExact(example, strict.answer!.text, answer) ? 1 : 0,
    recall: tokenRecall(given, wanted),
    bleu_1: bleu1(given, wanted),
    rouge_l: rougeL(given, wanted),
    parse_failure: strict.parseFailure,
    format: !strict.parseFailure && followsStyle(text, style, thinkOpened),
    ...(turns === undefined ? {} : { turns }),
    ...(tokens === undefined ? {} : { tokens }),
    ...(finishReason === undefined ? {} : { finish_reason: finishReason }),
    ...(thought === undefined ? {} : { thought: thoughtOf(thought) }),
    ...(expert === undefined ? {} : { expert }),
    ...(error === undefined ? {} : { error }),
    ...(errorDetail === undefined ? {} : { error_detail: errorDetail }),
  };
}

function thoughtOf({ sentences, trials, trialTokens }: NonNullable<Prediction["thought"]>) {
  return { sentences, trials, trial_tokens: trialTokens };
}

/** Options are told apart by their index: two of them may be the same words after normalisation. */
function isExact(example: Example, answer: string, words: string): boolean {
  const chosen = example.answerType === "choice" ? chosenOption(answer, example.choices) : null;
  return chosen === null ? exactMatch(words, example.answer) : chosen.index === rightOption(example);
}

/** The answer in words: of a choice question the text of the option it names; several options stay letters. */
function answerText({ choices, answerType }: Example, answer: string): string {
  const chosen = choices.length > 0 && answerType !== "multi" ? chosenOption(answer, choices) : null;
  return chosen === null ? answer : choices[chosen.index]!;
}
