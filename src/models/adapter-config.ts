/** adapter_config.json as PEFT writes it: what viva computes is read, what it does not compute is refused by name. */
import { join } from "node:path";
import * as z from "zod";
import { UserError } from "../core/errors.ts";
import { problemOf } from "../core/issues.ts";
import { readJson, shown } from "../io/files.ts";
import type { LoraOptions } from "./lora-targets.ts";
import type { Model } from "./model.ts";
import { SCORE_MODULE } from "./score-head.ts";

export const ADAPTER_CONFIG = "adapter_config.json";

/** An adapter's options and the model it belongs to. */
export interface AdapterConfig extends LoraOptions {
  /** A model folder, or a name on the Hub. */
  readonly base: string;
  /** Whether a score head is trained and stored beside the adapter. */
  readonly scoreHead?: boolean;
}

const names = z.union([z.string(), z.array(z.string())]);
const absent = <T extends z.ZodType>(value: T, error: string) => z.union([z.null(), value], { error }).optional();
const no = (error: string) => absent(z.literal(false), error);
const none = (error: string) => absent(z.array(z.never()), error);

/** Keys that change nothing about what a loaded adapter computes. */
const informative = Object.fromEntries(
  [
    "auto_mapping",
    "inference_mode",
    "peft_version",
    "revision",
    "task_type",
    "loftq_config",
    "eva_config",
    "megatron_core",
    "qalora_group_size",
    "runtime_config",
  ].map((key) => [key, z.unknown().optional()]),
);

const configSchema = z.looseObject({
  ...informative,
  peft_type: z.literal("LORA", { error: "only LORA adapters can be read" }),
  base_model_name_or_path: z
    .string({ error: "expected the model that the adapter belongs to, its folder or its id on the Hub" })
    .min(1, "expected the model that the adapter belongs to, its folder or its id on the Hub"),
  r: z.int().min(1),
  lora_alpha: z.number(),
  lora_dropout: z.number().min(0).lt(1).optional(),
  target_modules: names,
  exclude_modules: names.nullish(),
  layers_to_transform: z.union([z.int(), z.array(z.int())]).nullish(),
  layers_pattern: names.nullish(),
  rank_pattern: z.record(z.string(), z.int().min(1)).nullish(),
  alpha_pattern: z.record(z.string(), z.number()).nullish(),
  use_rslora: z.boolean().optional(),
  bias: absent(z.literal("none"), 'biases trained beside the adapter are not supported, only "none"'),
  fan_in_fan_out: no("layers stored transposed are not supported"),
  init_lora_weights: z
    .union([z.boolean(), z.enum(["gaussian", "eva", "orthogonal"])], {
      error: "this initialisation changes the base model's weights too: convert the adapter with PEFT first",
    })
    .nullish(),
  lora_bias: no("adapters with a bias are not supported"),
  modules_to_save: z
    .array(z.string())
    .refine((modules) => modules.every((name) => name === SCORE_MODULE), {
      error: `modules trained and stored whole beside the adapter are not supported, only ["${SCORE_MODULE}"] of a reward model`,
    })
    .nullish(),
  target_parameters: none("adapters on single parameters are not supported"),
  use_dora: no("DoRA is not supported"),
});

/** Reads and checks a folder's adapter_config.json; UserError for anything that viva would compute otherwise than PEFT. */
export function readAdapterConfig(folder: string): AdapterConfig {
  const path = join(folder, ADAPTER_CONFIG);
  const result = configSchema.safeParse(readJson(path, "adapter configuration"));
  if (!result.success) {
    const problem = problemOf(result.error.issues[0]!);
    const key = problem.path.length === 0 ? "the file" : shown(problem.path.join(".")).slice(1, -1);
    throw new UserError(`${path}: ${key}: ${problem.message}`);
  }
  const { base_model_name_or_path: base, ...config } = result.data;
  const foreign = Object.keys(config).find((key) => !Object.hasOwn(configSchema.shape, key) && !isOff(config[key]));
  if (foreign !== undefined) {
    throw new UserError(`${path}: the key ${shown(foreign)} with the value ${shown(config[foreign])} is not supported`);
  }
  return {
    base,
    source: path,
    r: config.r,
    lora_alpha: config.lora_alpha,
    lora_dropout: config.lora_dropout ?? 0,
    target_modules: config.target_modules,
    exclude_modules: config.exclude_modules ?? null,
    layers_to_transform: config.layers_to_transform ?? null,
    layers_pattern: config.layers_pattern ?? null,
    rank_pattern: config.rank_pattern ?? {},
    alpha_pattern: config.alpha_pattern ?? {},
    use_rslora: config.use_rslora ?? false,
    ...((config.modules_to_save ?? []).length > 0 ? { scoreHead: true } : {}),
  };
}

/** The configuration as PEFT reads it. */
export function adapterConfigJson(model: Model, o: AdapterConfig): Readonly<Record<string, unknown>> {
  const isPattern = typeof o.target_modules === "string" || typeof o.exclude_modules === "string";
  // Patterns are written as the names they chose, as PEFT does for all-linear: Python reads some patterns otherwise.
  const targets = isPattern ? [...model.adapters!.keys()].map((layer) => model.moduleName(layer)) : o.target_modules;
  return {
    peft_type: "LORA",
    // PEFT's auto classes open what no task of theirs describes by the class that the mapping names.
    task_type: o.scoreHead ? "SEQ_CLS" : null,
    auto_mapping: o.scoreHead ? null : autoMapping(model.config["architectures"]),
    base_model_name_or_path: o.base,
    r: o.r,
    lora_alpha: o.lora_alpha,
    lora_dropout: o.lora_dropout ?? 0,
    target_modules: targets,
    exclude_modules: isPattern ? null : (o.exclude_modules ?? null),
    layers_to_transform: isPattern ? null : (o.layers_to_transform ?? null),
    layers_pattern: isPattern ? null : (o.layers_pattern ?? null),
    rank_pattern: o.rank_pattern ?? {},
    alpha_pattern: o.alpha_pattern ?? {},
    use_rslora: o.use_rslora ?? false,
    use_dora: false,
    bias: "none",
    modules_to_save: o.scoreHead ? [SCORE_MODULE] : null,
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
  };
}

/** The class of transformers that a configuration names; null where it names none. */
function autoMapping(architectures: unknown) {
  const [name] = Array.isArray(architectures) ? (architectures as readonly unknown[]) : [];
  return typeof name === "string" ? { base_model_class: name, parent_library: "transformers" } : null;
}

/** A key of another version of PEFT that says nothing. */
function isOff(value: unknown): boolean {
  return value == null || value === false || (typeof value === "object" && Object.keys(value).length === 0);
}
