/** Compares several evaluations of the same questions with the first, paired by question. */
import * as z from "zod";
import { UserError } from "../core/errors.ts";
import { type Tuned, withTuning } from "../runs/verdict.ts";
import { bootstrapDefaults, bootstrapMean, type Interval, pairedBootstrap } from "./bootstrap.ts";
import {
  CONDITIONS,
  type ConditionDifference,
  type ConditionName,
  type Conditions,
  conditionDifferences,
} from "./conditions.ts";
import { paired, verdictOf } from "./paired.ts";
import { conditionsSchema, interval, pairedFields, share, verdictSchema } from "./results.ts";
import type { EvalItem } from "./score.ts";
import { holm } from "./statistics.ts";
import { SUBSETS } from "./summary.ts";
import { verdicts } from "./verdict.ts";

/** One recorded evaluation. */
export interface ComparedRun {
  readonly label: string;
  readonly protocol: string;
  readonly items: readonly EvalItem[];
  /** Null in records that have none. */
  readonly conditions: Conditions | null;
  /** Runs tried to choose its settings; null where its record does not say it. */
  readonly tuningTrials?: number | null;
}

const metricSchema = z.strictObject({ difference: interval, verdict: pairedFields.verdict });
const comparedSchema = z.strictObject({
  arm: z.string(),
  accuracy: interval,
  ...pairedFields,
  holm_p: share.describe("mcnemar_p corrected for the number of arms compared on these questions"),
  lenient_accuracy: metricSchema,
  token_f1: metricSchema,
  verdict_against_all: verdictSchema.describe("against the best of the reference and the other baselines"),
});
const subsetSchema = z.strictObject({
  stratum: z.string().describe("overall, answer_type, or a field of the questions such as content_type"),
  value: z.string(),
  n: z.int(),
  subjects: z.int(),
  reference_accuracy: interval,
  arms: z.array(comparedSchema),
});

export const comparisonSchema = z.strictObject({
  schema: z.literal("viva.comparison/1"),
  protocol: z.string(),
  reference: z.string(),
  arms: z.array(z.string()),
  baselines: z.array(z.string()).describe("further ones, beside the reference"),
  conditions: conditionsSchema.nullable().describe("of the reference; null: not recorded"),
  allowed_differences: z.array(z.strictObject({ arm: z.string(), condition: z.enum(CONDITIONS), what: z.string() })),
  bootstrap: z.strictObject({ resamples: z.int(), seed: z.int(), level: share }),
  subsets: z.array(subsetSchema),
});

export type Comparison = z.output<typeof comparisonSchema>;
export type ComparedSubset = z.output<typeof subsetSchema>;

/** JSON Schema (draft 2020-12) of what `viva compare --json` prints. */
export function comparisonJsonSchema(): Readonly<Record<string, unknown>> {
  return { ...z.toJSONSchema(comparisonSchema, { reused: "ref" }), title: "viva comparison" };
}

/** A stratum with more values, such as a file name, is not useful for a breakdown. */
const MAX_VALUES = 16;
const STRATA = ["content_type", "question_type", "modality"] as const;

export interface CompareOptions {
  /** Conditions that may differ. */
  readonly allow?: readonly ConditionName[];
  readonly resamples?: number;
  /** Evaluations that an arm must beat beside the reference to be called improved. */
  readonly baselines?: readonly ComparedRun[];
}

/**
 * Compares every later arm with the first. Throws UserError if arms or baselines answered different questions, were
 * scored under different protocols, or differ in conditions that `allow` does not name.
 */
export function compareEvaluations(
  arms: readonly ComparedRun[],
  { allow = [], resamples = bootstrapDefaults.resamples, baselines = [] }: CompareOptions = {},
): Comparison {
  const [reference, ...others] = arms;
  if (reference === undefined || others.length === 0) throw new UserError("viva compare needs two evaluations or more");
  const differences = [...others, ...baselines].flatMap((arm) => checkedDifferences(reference, arm, allow));
  const align = (arm: ComparedRun) => ({ label: arm.label, items: inOrder(reference, arm) });
  const [aligned, beside] = [others.map(align), baselines.map(align)];
  const subsets = subsetsOf(reference.items).map(({ stratum, value, chosen }) => {
    const subject = chosen.map((i) => reference.items[i]!.subject_id);
    const of = (items: readonly EvalItem[], metric: "strict" | "lenient" | "token_f1") =>
      chosen.map((i) => items[i]![metric]);
    const theirs = {
      strict: of(reference.items, "strict"),
      lenient: of(reference.items, "lenient"),
      token_f1: of(reference.items, "token_f1"),
    };
    const mean = (values: readonly number[]) => bootstrapMean(values, subject, { resamples })!;
    const metric = (ours: readonly number[], other: readonly number[]) => {
      const difference = pairedBootstrap(ours, other, subject, { resamples })!;
      return { difference, verdict: verdictOf(difference) };
    };
    const compared = aligned.map(({ label, items }) => {
      const ours = of(items, "strict");
      return {
        arm: label,
        accuracy: mean(ours),
        ...paired(ours, theirs.strict, subject, { resamples }),
        lenient_accuracy: metric(of(items, "lenient"), theirs.lenient),
        token_f1: metric(of(items, "token_f1"), theirs.token_f1),
      };
    });
    const corrected = holm(compared.map(({ mcnemar_p }) => mcnemar_p));
    const scored = ({ label, items }: (typeof aligned)[number]) => ({ name: label, values: of(items, "strict") });
    const all = [{ name: reference.label, values: theirs.strict }, ...beside.map(scored)];
    const judged = verdicts(aligned.map(scored), all, subject, { resamples }).map((verdict, i) =>
      withTuning(verdict, tuned(others[i]!), [reference, ...baselines].map(tuned)),
    );
    const accuracy: Interval = mean(theirs.strict);
    return {
      ...{ stratum, value, n: chosen.length, subjects: accuracy.subjects, reference_accuracy: accuracy },
      arms: compared.map((one, i) => ({ ...one, holm_p: corrected[i]!, verdict_against_all: judged[i]! })),
    };
  });
  return comparisonSchema.parse({
    schema: "viva.comparison/1",
    protocol: reference.protocol,
    reference: reference.label,
    arms: others.map(({ label }) => label),
    baselines: baselines.map(({ label }) => label),
    conditions: reference.conditions,
    allowed_differences: differences,
    bootstrap: { ...bootstrapDefaults, resamples },
    subsets,
  });
}

function tuned({ label, tuningTrials = null }: ComparedRun): Tuned {
  return { name: label, trials: tuningTrials };
}

/** The allowed differences; throws for any other. */
function checkedDifferences(reference: ComparedRun, arm: ComparedRun, allow: readonly ConditionName[]) {
  const both = `${reference.label} and ${arm.label}`;
  if (reference.protocol !== arm.protocol) {
    throw new UserError(`${both} were scored under different protocols: ${reference.protocol} and ${arm.protocol}`);
  }
  const differences = differencesOf(reference, arm);
  const refused = differences.find(({ condition }) => !allow.includes(condition));
  if (refused !== undefined) {
    const { condition, what } = refused;
    const remedy =
      condition === "questions" ? "evaluate both on the same data" : `--allow ${condition} compares them anyway`;
    throw new UserError(`${both} differ in ${condition} (${what}): ${remedy}`);
  }
  return differences.map((difference) => ({ arm: arm.label, ...difference }));
}

/**
 * Records of earlier versions have no conditions and can differ in everything except the questions, which the items
 * show.
 */
function differencesOf(a: ComparedRun, b: ComparedRun): readonly ConditionDifference[] {
  if (a.conditions !== null && b.conditions !== null) return conditionDifferences(a.conditions, b.conditions);
  const without = a.conditions === null ? a.label : b.label;
  const what = `${without} does not record it: evaluate it again`;
  return (["prompt", "decoding", "images"] as const).map((condition) => ({ condition, what }));
}

/** The arm's items in the reference's order. */
function inOrder(reference: ComparedRun, arm: ComparedRun): readonly EvalItem[] {
  const byId = new Map(arm.items.map((item) => [item.example_id, item]));
  const missing = reference.items.filter(({ example_id }) => !byId.has(example_id));
  if (missing.length > 0 || byId.size !== reference.items.length) {
    const first = missing[0] === undefined ? "" : `, the first "${missing[0].example_id}"`;
    throw new UserError(
      `${arm.label} answers ${byId.size} questions and lacks ${missing.length} of the ${reference.items.length} of ${reference.label}${first}: evaluate both on the same data`,
    );
  }
  return reference.items.map((item) => {
    const own = byId.get(item.example_id)!;
    if (own.question === item.question && own.answer === item.answer) return own;
    throw new UserError(
      `${reference.label} and ${arm.label} differ in the question or reference of "${item.example_id}": evaluate both on the same data`,
    );
  });
}

/** All questions, then by answer type, then by question type if the data has one; each as indices. */
function subsetsOf(items: readonly EvalItem[]) {
  const all = items.map((_, i) => i);
  const kinds = SUBSETS.slice(1).map((value) => {
    const chosen = all.filter((i) => items[i]!.answer_type === value);
    return { stratum: "answer_type", value: value as string, chosen };
  });
  const strata = STRATA.flatMap((stratum) => {
    const values = [...new Set(items.map(({ strata }) => strata[stratum] ?? ""))].filter((value) => value !== "");
    if (values.length < 2 || values.length > MAX_VALUES) return [];
    const found = values.map((value) => {
      return { stratum: stratum as string, value, chosen: all.filter((i) => items[i]!.strata[stratum] === value) };
    });
    return found.sort((a, b) => b.chosen.length - a.chosen.length);
  });
  const overall = { stratum: "overall", value: "overall", chosen: all };
  return [overall, ...[...kinds, ...strata].filter(({ chosen }) => chosen.length > 0)];
}
