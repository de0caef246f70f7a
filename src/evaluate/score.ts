/** Scores predictions item by item: one line of evals.jsonl each, so that flips and paired tests need nothing else. */
import { chosenOption, optionLetter, referenceOption } from "../answers/choice.ts";
import { normalisedTokens } from "../answers/normalise.ts";
import { exactMatch, tokenF1 } from "../answers/open.ts";
import type { ParsedAnswer } from "../answers/parse.ts";
import { type AnswerStyle, followsStyle } from "../answers/tags.ts";
import type { AnswerType, Example } from "../core/records.ts";
import type { Baselines } from "./baselines.ts";
import { bleu1, rougeL, tokenRecall } from "./metrics.ts";
import { type ProtocolName, protocols } from "./protocols/index.ts";

/** What a model said to an example. */
export interface Prediction {
  readonly text: string;
  /** Completion tokens, where known. */
  readonly tokens?: number;
  readonly finishReason?: "stop" | "length";
}

/** One item of an evaluation, as a line of evals.jsonl. */
export interface EvalItem {
  readonly checkpoint: string;
  readonly protocol: string;
  readonly example_id: string;
  readonly subject_id: string;
  readonly question: string;
  readonly answer: string;
  readonly answer_type: AnswerType;
  /** The example's meta: modality, organ, content_type… */
  readonly strata: Readonly<Record<string, string>>;
  readonly prediction: string;
  /** The strictly parsed answer with its character span; null when there is none. */
  readonly parsed_answer: ParsedAnswer | null;
  /** 1 or 0, by the strictly parsed answer. */
  readonly strict: 0 | 1;
  /** 1 or 0, by the leniently parsed one. */
  readonly lenient: 0 | 1;
  /** Of the strictly parsed answer against the reference, in [0, 1]. */
  readonly token_f1: number;
  /** 1 where the strictly parsed answer equals the reference after normalisation, whatever the protocol. */
  readonly exact_match: 0 | 1;
  /** Share of the reference's words that the strictly parsed answer has; like BLEU-1 and ROUGE-L in [0, 1]. */
  readonly recall: number;
  readonly bleu_1: number;
  readonly rouge_l: number;
  /** No strictly parsed answer, or one that names nothing the question asks for. */
  readonly parse_failure: boolean;
  /** The whole completion keeps to the style. */
  readonly format: boolean;
  readonly tokens?: number;
  readonly finish_reason?: "stop" | "length";
}

export interface ScoreOptions {
  /** "viva" unless said otherwise. */
  readonly protocol?: ProtocolName;
  readonly style?: AnswerStyle;
  readonly thinkOpened?: boolean;
  readonly checkpoint?: string;
}

/** Scores the predictions, one per example in the same order, under one protocol. */
export function scoreItems(
  examples: readonly Example[],
  predictions: readonly (string | Prediction)[],
  options: ScoreOptions = {},
): readonly EvalItem[] {
  if (examples.length !== predictions.length) {
    throw new Error(`internal: scoreItems: ${predictions.length} predictions for ${examples.length} examples`);
  }
  return examples.map((example, i) => {
    const prediction = predictions[i]!;
    return scoreItem(example, typeof prediction === "string" ? { text: prediction } : prediction, options);
  });
}

/** The items the baselines' answers give, by baseline name. */
export function scoreBaselines(
  examples: readonly Example[],
  baselines: Baselines,
  protocol: ProtocolName = "viva",
): Readonly<Record<keyof Baselines, readonly EvalItem[]>> {
  const itemsOf = (name: keyof Baselines) =>
    scoreItems(
      examples,
      examples.map((example) => spelled(example, baselines[name](example))),
      { protocol, style: "plain", checkpoint: `baseline:${name}` },
    );
  return { majority: itemsOf("majority"), question_only: itemsOf("question_only") };
}

/** Options by their letter, which every protocol reads. */
function spelled({ choices, answerType }: Example, answer: string): string {
  const option = answerType === "choice" ? referenceOption(answer, choices) : -1;
  return option < 0 ? answer : optionLetter(option);
}

function scoreItem(example: Example, { text, tokens, finishReason }: Prediction, options: ScoreOptions): EvalItem {
  const { protocol = "viva", style = "think_answer", thinkOpened = false, checkpoint = "" } = options;
  const strict = protocols[protocol].strict(example, text, style);
  const answer = strict.answer === null ? null : answerText(example, strict.answer.text);
  const [given, wanted] = [normalisedTokens(answer ?? ""), normalisedTokens(example.answer)];
  return {
    checkpoint,
    protocol,
    example_id: example.id,
    subject_id: example.subjectId,
    question: example.question,
    answer: example.answer,
    answer_type: example.answerType,
    strata: example.meta,
    prediction: text,
    parsed_answer: strict.answer,
    strict: strict.correct ? 1 : 0,
    lenient: protocols[protocol].lenient(example, text, style).correct ? 1 : 0,
    token_f1: answer === null ? 0 : tokenF1(answer, example.answer),
    exact_match: answer !== null && exactMatch(answer, example.answer) ? 1 : 0,
    recall: tokenRecall(given, wanted),
    bleu_1: bleu1(given, wanted),
    rouge_l: rougeL(given, wanted),
    parse_failure: strict.parseFailure,
    format: followsStyle(text, style, thinkOpened),
    ...(tokens === undefined ? {} : { tokens }),
    ...(finishReason === undefined ? {} : { finish_reason: finishReason }),
  };
}

/** The answer in words: of a choice question the text of the option it names. */
function answerText({ choices }: Example, answer: string): string {
  const chosen = choices.length > 0 ? chosenOption(answer, choices) : null;
  return chosen === null ? answer : choices[chosen.index]!;
}
