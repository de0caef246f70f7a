/**
 * A model with a score head, as transformers' classes for sequence classification lay it out: `score.weight` beside the model's
 * own weights, one label. Its weight is trained and stored like any other.
 */
import { scoreHead } from "../nn/attachments/score-head.ts";
import type { Model } from "./model.ts";

/** The head's weight, in checkpoints and, under PEFT's prefix, in adapters (`modules_to_save: [score]`). */
export const SCORE_MODULE = "score";
export const SCORE_WEIGHT = `${SCORE_MODULE}.weight`;

const CLASSIFIER = "ForSequenceClassification";

/** Whether config.json describes a model with a score head. */
export function hasScoreHead({ architectures }: Readonly<Record<string, unknown>>): boolean {
  return architecturesOf(architectures).some((name) => name.endsWith(CLASSIFIER));
}

/** The model with a score head; itself if it has one. */
export function withScoreHead(model: Model): Model {
  if (model.scoreHead !== undefined) return model;
  const { shape, std } = scoreHead.params(model.language)["weight"]!;
  const architectures = architecturesOf(model.config["architectures"]).map((name) => {
    return name.replace(/For[A-Z]\w*$/, CLASSIFIER);
  });
  return {
    ...model,
    config: { ...model.config, architectures, id2label: { 0: "LABEL_0" }, label2id: { LABEL_0: 0 } },
    weights: { ...model.weights, [SCORE_WEIGHT]: { shape, initialiser: { kind: "normal", std } } },
    scoreHead: SCORE_WEIGHT,
  };
}

function architecturesOf(given: unknown): readonly string[] {
  return Array.isArray(given) ? given.filter((name) => typeof name === "string") : [];
}
