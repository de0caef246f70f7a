/** What a stage may set of the algorithm it learns by, spelled as recipes spell it; defaults are GRPO's. */
import type * as z from "zod";
import { mapping, nameIn, number, oneOf, text, whole } from "../core/fields.ts";
import { importanceSamplingLevels, type StagePart } from "./algorithm.ts";
import { klEstimators } from "./kl.ts";
import { advantageEstimators, advantageShapers, optionsOf, policyLosses } from "./parts.ts";
import { completionSelection } from "./selection.ts";
import { lossTypes } from "./token-weights.ts";

const filterGroups = mapping({
  metric: text("reward, or the name of a reward")
    .default("reward")
    .describe("Groups in which this is the same for all completions are replaced: reward, or one reward's name."),
  max_resample: whole({ min: 1, max: 1000 })
    .default(3)
    .describe("Rounds of replacement per step; what is left then stays."),
});

/** The settings; the options of a part stand behind its name. */
const settings = {
  advantage: nameIn(advantageEstimators)
    .default("group_relative")
    .describe("What a completion's reward is compared with."),
  ...optionsOf(advantageEstimators),
  shaping: nameIn(advantageShapers)
    .default("none")
    .describe("What changes advantages before the loss: none, or a shaper, which may give each token its own."),
  ...optionsOf(advantageShapers),
  filter_groups: filterGroups
    .nullable()
    .default(null)
    .describe("Dynamic sampling: replace groups without reward variance by fresh questions; null keeps them."),
  ...completionSelection.options,
  token_loss: nameIn(policyLosses)
    .default("clip")
    .describe("What bounds the ratio of a token: a clip, a capped weight, a smooth gate, or nothing."),
  loss_type: oneOf(...lossTypes)
    .default("grpo")
    .describe("How token losses are averaged: per completion, per token, or by max_completion_length."),
  importance_sampling_level: oneOf(...importanceSamplingLevels)
    .default("token")
    .describe("Whether a token has a ratio of its own or its completion's."),
  beta: number({ min: 0, max: 1000 })
    .default(0)
    .describe("Weight of the KL term against the reference; 0 needs no reference."),
  kl_estimator: oneOf(...klEstimators).default("k3"),
  ...optionsOf(policyLosses),
};

/** A set of defaults: all that an algorithm is besides its parts. */
export type AlgorithmDefaults = Readonly<Partial<z.input<z.ZodObject<typeof settings>>>>;

/** Settings and options with an algorithm's defaults in place of GRPO's. */
export function algorithmSettings(defaults: AlgorithmDefaults): typeof settings {
  return withDefaults(settings, defaults);
}

/** Fields with other defaults for some of them. */
export function withDefaults<Fields extends z.ZodRawShape>(
  fields: Fields,
  defaults: Readonly<Record<string, unknown>>,
): Fields {
  const own = Object.entries(defaults).map(([key, value]) => {
    const field = fields[key] as z.ZodDefault<z.ZodType>;
    const changed = field.unwrap().default(field.parse(value));
    return [key, field.description === undefined ? changed : changed.describe(field.description)] as const;
  });
  return { ...fields, ...Object.fromEntries(own) };
}

/** Values of the settings. */
export type AlgorithmSettings = Readonly<z.output<z.ZodObject<typeof settings>>>;

/** What the chosen parts, and those not chosen, have against a stage's values: a key and a sentence each. */
export function partProblems(values: AlgorithmSettings): readonly { readonly key: string; readonly error: string }[] {
  const selection = completionSelection.check?.(values) ?? null;
  return [
    ...problemsOf(policyLosses, "token_loss", values),
    ...problemsOf(advantageEstimators, "advantage", values),
    ...problemsOf(advantageShapers, "shaping", values),
    ...(selection === null ? [] : [selection]),
  ];
}

function problemsOf(
  table: Readonly<Record<string, StagePart<z.ZodRawShape>>>,
  chooser: keyof AlgorithmSettings,
  values: AlgorithmSettings,
) {
  const given: Readonly<Record<string, unknown>> = values;
  const chosen = table[given[chooser] as string]!;
  const idle = Object.values(table).flatMap((part) => (part === chosen ? [] : Object.entries(part.idle ?? {})));
  const acting = idle.filter(([key, rule]) => !Object.hasOwn(chosen.options, key) && given[key] !== rule!.value);
  const wrong = chosen.check?.(values) ?? null;
  return [...acting.map(([key, rule]) => ({ key, error: rule!.error })), ...(wrong === null ? [] : [wrong])];
}
