/**
 * The names of this layer's tables, for command lines, which say them before any of the code behind them is loaded. Each table
 * is typed by its names: one that is forgotten here or there is a type error.
 */
import { UserError } from "../core/errors.ts";
import { requireNamed } from "../core/suggest.ts";

export const protocolNames = ["viva", "medevalkit", "lmms", "medvlthinker"] as const;
export type ProtocolName = (typeof protocolNames)[number];

export const probeNames = [
  ...["form", "consistency", "faithfulness", "image_grounding", "facts", "semantic", "judge", "behaviours"],
  ...["answer_prior", "option_position", "question_only", "paraphrase", "mirror", "noise", "contrast", "quantized"],
  ...["hemorrhage", "adversarial", "decoding", "length_bias"],
] as const;
export type ProbeName = (typeof probeNames)[number];

export const imageBaselineNames = ["blank_image", "wrong_image"] as const;
export type ImageBaselineName = (typeof imageBaselineNames)[number];

export const conventionalNames = ["lr", "knn", "gbdt"] as const;
export type ConventionalName = (typeof conventionalNames)[number];

/** Parses a list by commas, e.g. "blank_image,wrong_image"; a UserError suggests the nearest name. */
export function findImageBaselines(list: string): readonly ImageBaselineName[] {
  return namesIn("baseline", list, imageBaselineNames);
}

/** Parses a list by commas, e.g. "lr,knn"; a UserError suggests the nearest name. */
export function findConventional(list: string): readonly ConventionalName[] {
  return namesIn("conventional model", list, conventionalNames);
}

function namesIn<Name extends string>(what: string, list: string, known: readonly Name[]): readonly Name[] {
  const table = Object.fromEntries(known.map((name) => [name, name])) as Readonly<Record<Name, Name>>;
  const names = new Set(list.split(",").map((name) => name.trim()));
  names.delete("");
  if (names.size === 0) throw new UserError(`name at least one of ${known.join(", ")}`);
  return [...names].map((name) => requireNamed(what, name, table));
}
