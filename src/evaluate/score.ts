/** Scores predictions item by item: one line of evals.jsonl each, so that flips and paired tests need nothing else. */
import { chosenOption } from "../answers/choice.ts";
import { matchAnswer } from "../answers/match.ts";
import { tokenF1 } from "../answers/open.ts";
import { type ParsedAnswer, parseAnswer } from "../answers/parse.ts";
import { type AnswerStyle, followsStyle } from "../answers/tags.ts";
import type { AnswerType, Example } from "../core/records.ts";
import type { Baselines } from "./baselines.ts";

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
  /** No strictly parsed answer, or one that names nothing the question asks for. */
  readonly parse_failure: boolean;
  /** The whole completion keeps to the style. */
  readonly format: boolean;
  readonly tokens?: number;
  readonly finish_reason?: "stop" | "length";
}

export interface ScoreOptions {
  readonly style?: AnswerStyle;
  readonly thinkOpened?: boolean;
  readonly checkpoint?: string;
}

/** Scores the predictions, one per example in the same order, under the protocol "viva". */
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
): Readonly<Record<keyof Baselines, readonly EvalItem[]>> {
  const itemsOf = (name: keyof Baselines) =>
    scoreItems(examples, examples.map(baselines[name]), { style: "plain", checkpoint: `baseline:${name}` });
  return { majority: itemsOf("majority"), question_only: itemsOf("question_only") };
}

function scoreItem(example: Example, { text, tokens, finishReason }: Prediction, options: ScoreOptions): EvalItem {
  const { style = "think_answer", thinkOpened = false, checkpoint = "" } = options;
  const parsed = parseAnswer(text, { style });
  const lenient = parseAnswer(text, { style, lenient: true });
  const match = matchAnswer(example, parsed?.text ?? null);
  return {
    checkpoint,
    protocol: "viva",
    example_id: example.id,
    subject_id: example.subjectId,
    question: example.question,
    answer: example.answer,
    answer_type: example.answerType,
    strata: example.meta,
    prediction: text,
    parsed_answer: parsed,
    strict: match.correct ? 1 : 0,
    lenient: matchAnswer(example, lenient?.text ?? null).correct ? 1 : 0,
    token_f1: parsed === null ? 0 : tokenF1(answerText(example, parsed.text), example.answer),
    parse_failure: match.parseFailure,
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
