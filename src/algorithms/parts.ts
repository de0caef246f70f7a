/** What algorithms are made of, by name: a new estimator or loss is a file and a line here. */
import * as z from "zod";
import { groupRelative } from "./advantages.ts";
import type { AdvantageEstimator, AdvantageShaper, StagePart, TokenLoss } from "./algorithm.ts";
import { cispoLoss } from "./cispo.ts";
import { clip } from "./grpo.ts";
import { multiObjective } from "./multi_objective.ts";
import { optimalBaseline } from "./opo.ts";
import { reinforceLoss } from "./reinforce.ts";
import { leaveOneOut } from "./rloo.ts";
import { sapoLoss } from "./sapo.ts";
import { supervisedLoss } from "./sft.ts";
import { guideline } from "./shaping/guideline.ts";
import { process } from "./shaping/process.ts";
import { uadt } from "./shaping/uadt.ts";
import { ucas } from "./shaping/ucas.ts";
import { unshaped } from "./shaping/unshaped.ts";

export const advantageEstimators = {
  group_relative: groupRelative,
  rloo: leaveOneOut,
  opo: optimalBaseline,
  multi_objective: multiObjective,
} as const satisfies Readonly<Record<string, AdvantageEstimator>>;

export type AdvantageName = keyof typeof advantageEstimators;

/** What becomes of the estimator's advantages before the loss reads them. */
export const advantageShapers = {
  none: unshaped,
  process,
  ucas,
  uadt,
  guideline,
} as const satisfies Readonly<Record<string, AdvantageShaper>>;

/** The losses of stages that learn from their own completions. */
export const policyLosses = {
  clip,
  cispo: cispoLoss,
  sapo: sapoLoss,
  reinforce: reinforceLoss,
} as const satisfies Readonly<Record<string, TokenLoss>>;

export type PolicyLossName = keyof typeof policyLosses;

/** All that the engine compiles. */
export const tokenLosses = { supervised: supervisedLoss, ...policyLosses } as const;

export type TokenLossName = keyof typeof tokenLosses;

/** What is all of a union's members at once. */
export type Intersection<Union> = (Union extends unknown ? (of: Union) => void : never) extends (of: infer All) => void
  ? All
  : never;

type Parts = Readonly<Record<string, StagePart<z.ZodRawShape>>>;

/** The options of all parts of a table, in its order. */
export function optionsOf<Table extends Parts>(table: Table): Intersection<Table[keyof Table]["options"]> {
  return Object.assign({}, ...Object.values(table).map(({ options }) => options));
}

/** Numbers of all token losses, fed as scalars: changing them compiles nothing. */
export type TokenLossNumbers = Readonly<
  { beta: number } & Intersection<ReturnType<(typeof policyLosses)[PolicyLossName]["numbers"]>>
>;

/** By the defaults of the losses' options; where losses share a number, the first one's. */
export const defaultLossNumbers = firstOfEach([
  { beta: 0 },
  ...Object.values<TokenLoss>(policyLosses).map((loss) => loss.numbers(z.object(loss.options).parse({}))),
]) as TokenLossNumbers;

function firstOfEach(records: readonly Readonly<Record<string, number>>[]): Readonly<Record<string, number>> {
  const keys = [...new Set(records.flatMap(Object.keys))];
  return Object.fromEntries(keys.map((key) => [key, records.find((record) => key in record)![key]!]));
}
