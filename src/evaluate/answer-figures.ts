/**
 * Figures that only some questions have, as means with intervals over subjects: yes/no questions by their reference, sets of
 * options by overlap, survival by status, reasoning by its words. A new figure is a line in the table.
 */
import { chosenOptions, rightOptions, setAgreement } from "../answers/multi.ts";
import { normalise, normalisedTokens } from "../answers/normalise.ts";
import { bleu4, rouge1, rougeL } from "../answers/overlap.ts";
import { parseRationale } from "../answers/rationale.ts";
import { statusOf } from "../answers/survival.ts";
import type { AnswerStyle } from "../answers/tags.ts";
import type { Example } from "../core/records.ts";
import { bootstrapMeans, type Interval, RESAMPLES } from "./bootstrap.ts";
import type { EvalItem } from "./score.ts";

/** Values of one question by figure; null where it has none of the kind. What cannot be read counts 0. */
type Figure = (example: Example, item: EvalItem, style: AnswerStyle) => Readonly<Record<string, number>> | null;

export const answerFigureKinds = {
  yes: (example, item) => (isClosed(example, "yes") ? { sensitivity: item.strict } : null),
  no: (example, item) => (isClosed(example, "no") ? { specificity: item.strict } : null),
  options: setValues,
  survival: statusValues,
  rationale: rationaleValues,
} as const satisfies Readonly<Record<string, Figure>>;

/** By kind and figure; `n` of each interval is the number of such questions. */
export type AnswerFigures = Readonly<
  Partial<Record<keyof typeof answerFigureKinds, Readonly<Record<string, Interval>>>>
>;

/** Null where no question has any. */
export function answerFigures(
  examples: readonly Example[],
  items: readonly EvalItem[],
  style: AnswerStyle,
): AnswerFigures | null {
  const kinds = Object.entries<Figure>(answerFigureKinds).flatMap(([kind, figure]) => {
    const found = items.flatMap((item, i) => {
      const values = figure(examples[i]!, item, style);
      return values === null ? [] : [{ values, subject: item.subject_id }];
    });
    if (found.length === 0) return [];
    const names = Object.keys(found[0]!.values);
    const columns = names.map((name) => found.map(({ values }) => values[name]!));
    const subjects = found.map(({ subject }) => subject);
    const intervals = bootstrapMeans(columns, subjects, { resamples: RESAMPLES.report });
    return [[kind, Object.fromEntries(names.map((name, k) => [name, intervals[k]!]))] as const];
  });
  return kinds.length === 0 ? null : Object.fromEntries(kinds);
}

function isClosed({ answerType, answer }: Example, reference: "yes" | "no"): boolean {
  return answerType === "closed" && normalise(answer) === reference;
}

function setValues(example: Example, { parsed_answer }: EvalItem) {
  if (example.answerType !== "multi") return null;
  const chosen = parsed_answer === null ? null : chosenOptions(parsed_answer.text, example.choices);
  const by = (rule: "f1" | "exact" | "jaccard") =>
    chosen === null ? 0 : setAgreement(chosen, rightOptions(example), rule);
  return { f1: by("f1"), exact: by("exact"), jaccard: by("jaccard") };
}

/** Only where answers are asked for a status: that of other styles is a number alone. */
function statusValues({ target }: Example, { parsed_answer }: EvalItem, style: AnswerStyle) {
  if (target?.event === undefined || style !== "reasoning_prediction") return null;
  const said = parsed_answer === null ? null : statusOf(parsed_answer.text);
  return { status: Number(said === target.event), status_read: Number(said !== null) };
}

/** Against the reference reasoning, where the style has a place for reasoning. */
function rationaleValues({ rationale = "" }: Example, { prediction }: EvalItem, style: AnswerStyle) {
  const reference = normalisedTokens(rationale);
  if (reference.length === 0 || style === "answer_only" || style === "plain") return null;
  const said = normalisedTokens(parseRationale(prediction, style)?.text ?? "");
  return { bleu_4: bleu4(said, reference), rouge_1: rouge1(said, reference), rouge_l: rougeL(said, reference) };
}
