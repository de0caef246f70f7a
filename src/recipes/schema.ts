/** The recipe: what a run trains, on which data and how. Plain data; a parsed recipe has all defaults filled in. */
import * as z from "zod";
import type { PairwiseName, RolloutAlgorithmName } from "../algorithms/index.ts";
import type { PromptName } from "../answers/prompts.ts";
import { answerStyles } from "../answers/tags.ts";
import { devices } from "../core/device.ts";
import { flag, mapping, number, oneOf, oneOrMore, text, whole } from "../core/fields.ts";
import { nearest } from "../core/suggest.ts";
import { engineNames, engines } from "../engine/index.ts";
import { trackSchema } from "../track/options.ts";
import { alarmsSchema } from "./alarms.ts";
import { datasetSchema } from "./datasets.ts";
import { stageSchema } from "./stages.ts";

const layerNames = () => oneOrMore(text(), "a list of layer names, or a regular expression");
const byPattern = <T extends z.ZodType>(value: T) =>
  z.record(text(), value, { error: "a mapping of patterns of layer names to numbers" }).default({});

const model = mapping({
  path: text("a model, run or adapter folder, the name of a model that ships, or hf:org/name").describe(
    "Model, run, checkpoint or adapter folder, the name of a model that ships, or hf:org/name on the Hub.",
  ),
  revision: text("a branch, tag or commit").nullable().default(null).describe("Of a model on the Hub; null is main."),
  init: oneOf("pretrained", "random")
    .default("pretrained")
    .describe("random keeps only the configuration and the tokenizer, and initialises the weights from the seed."),
  lora: mapping({
    r: whole({ min: 1 }).default(16).describe("Rank of the adapters."),
    lora_alpha: number({ min: 1e-6, max: 1e6 })
      .default(32)
      .describe("The adapter's output is scaled by lora_alpha / r."),
    lora_dropout: number({ min: 0, below: 1 })
      .default(0)
      .describe("Dropout probability on an adapter's input in training; the rest is scaled by 1 / (1 − p)."),
    target_modules: oneOrMore(text(), "a list of layer names, a regular expression or all-linear")
      .default("all-linear")
      .describe("Suffixes of layer names, one regular expression for full names, or all-linear, as in PEFT."),
    exclude_modules: layerNames().nullable().default(null).describe("Excluded although target_modules matches them."),
    layers_to_transform: oneOrMore(whole({ min: 0 }), "a layer's number, or a list of them")
      .nullable()
      .default(null)
      .describe("Only these layers, counted from 0; requires a list of target_modules."),
    layers_pattern: layerNames()
      .nullable()
      .default(null)
      .describe("Name component before a layer's number, such as layers."),
    rank_pattern: byPattern(whole({ min: 1 })).describe("Ranks that override r, by suffix of the layer's name."),
    alpha_pattern: byPattern(number({ above: 0 })).describe(
      "Values that override lora_alpha, by suffix of the layer's name.",
    ),
    use_rslora: flag().default(false).describe("Scale by lora_alpha / √r."),
  })
    .nullable()
    .default(null)
    .describe("Train low-rank adapters on the frozen model; null trains the model's own weights."),
  freeze: z
    .array(text("a pattern of weight names"), { error: "a list of patterns" })
    .default([])
    .describe("Frozen weights: substrings of Hugging Face names; vision is the vision tower."),
  quantize_frozen: oneOf("int8", "int4")
    .nullable()
    .default(null)
    .describe("Quantise the frozen matrices to 8- or 4-bit integers; requires lora."),
});

const engineFields = mapping({
  backend: oneOf(...engineNames).default("local"),
  url: text("an address, as http://localhost:8000")
    .nullable()
    .default(null)
    .describe("Of the server that computes, for backend tinker; null computes here."),
  model: text("what the server calls the model").nullable().default(null).describe("null: the server's only one."),
  api_key_env: text("the name of an environment variable")
    .nullable()
    .default(null)
    .describe("Environment variable that holds the server's key."),
  server_job: mapping({
    ray: text("the address of Ray's dashboard, as http://head:8265").describe("The cluster: its dashboard."),
    command: text("a program and its arguments").describe("Starts the server, on the node that url names."),
    resources: text("NAME=AMOUNT with commas between them")
      .default("cpus=1")
      .describe("What the server takes of its node, as --resources of viva train."),
  })
    .nullable()
    .default(null)
    .describe("Starts the server as a job of Ray and stops it with the run; null finds it at url."),
  device: oneOf(...devices)
    .default("cpu")
    .describe("Device that runs the model; viva doctor shows which devices work."),
  threads: z
    .union([z.literal("auto"), whole({ min: 1, max: 1024 })], { error: "auto, or a whole number from 1 to 1024" })
    .default("auto")
    .describe("At most as many as the machine has cores are used; auto: one for each."),
  rows: whole({ min: 1 }).default(64).describe("Maximum number of completions decoded concurrently."),
  micro_batch_tokens: whole({ min: 1 }).default(4096).describe("Maximum tokens in one forward and backward pass."),
  activation_memory_gb: number({ min: 0 })
    .default(2)
    .describe("Memory for saved activations; what does not fit is recomputed."),
  dry_step: z
    .union([z.literal("auto"), z.boolean()], { error: "auto, true or false" })
    .default("auto")
    .describe(
      "Run the longest sample before the first step, so that it fails early if memory is short; auto: from 20 steps on.",
    ),
});

const remote = engineNames.filter((name) => engines[name].remote);

const engine = engineFields
  .refine(({ backend, url }) => url !== null || !engines[backend].remote, {
    error: "is required: the address of the server, as http://localhost:8000",
    path: ["url"],
  })
  .refine(({ backend, url }) => url === null || engines[backend].remote, {
    error: `names a server: set engine.backend to ${remote.join(" or ")} too`,
    path: ["url"],
  })
  .refine(({ backend, server_job: job }) => job === null || engines[backend].remote, {
    error: `starts a server: set engine.backend to ${remote.join(" or ")} and engine.url too`,
    path: ["server_job"],
  });

const data = mapping({
  train: datasetSchema("train"),
  eval: datasetSchema("test").nullable().default(null),
  image_disjoint: flag()
    .default(false)
    .describe("Split train and eval anew so that no image, nor one that looks the same, is in two splits."),
  allow_overlap: flag()
    .default(false)
    .describe("Whether eval may share subjects or images with train in your own data: a warning in place of an error."),
  on_bad_image: oneOf("error", "skip")
    .default("error")
    .describe("For an unreadable image: stop the run, or skip and report the example."),
  on_too_long: oneOf("error", "skip")
    .default("error")
    .describe("For an example that does not fit the model's context with its completion."),
});

const placeholders = ["question", "choices"];

const userTemplate = text("a text with {question} in it")
  .refine((template) => template.includes("{question}"), { error: "must contain {question}" })
  .superRefine((template, context) => {
    const unknown = [...template.matchAll(/\{(\w+)\}/g)]
      .map(([, name]) => name!)
      .find((n) => !placeholders.includes(n));
    if (unknown === undefined) return;
    const near = nearest(unknown, placeholders);
    const advice = near === null ? "{question} and {choices} are known" : `did you mean {${near}}?`;
    context.addIssue({ code: "custom", message: `has the unknown placeholder {${unknown}}; ${advice}` });
  });

const promptNames = [...answerStyles, "base"] as const satisfies readonly PromptName[];

const prompt = z
  .union(
    [
      oneOf(...promptNames),
      mapping({
        style: oneOf(...answerStyles).default("think_answer"),
        system: text().nullable().default(null),
        user: userTemplate,
        template: oneOf("chat", "transcript", "document")
          .default("chat")
          .describe(
            "The model's chat template; a transcript of User and Assistant, for base models; or the bare text.",
          ),
        assistant_prefix: text()
          .nullable()
          .default(null)
          .describe("Text with which the assistant's turn begins, such as <think>; part of the prompt."),
      }),
    ],
    { error: `one of ${promptNames.join(", ")}, or a mapping of style, system, user, template and assistant_prefix` },
  )
  .describe("The prompt: a named style, or a template with {question} and {choices}.");

const image = mapping({
  min_pixels: whole({ min: 1 }).nullable().default(null),
  max_pixels: whole({ min: 1 }).nullable().default(null),
}).refine(({ min_pixels, max_pixels }) => (min_pixels ?? 0) <= (max_pixels ?? Number.POSITIVE_INFINITY), {
  error: "must not be above max_pixels",
  path: ["min_pixels"],
});

const evaluate = mapping({
  every: whole({ min: 1 }).nullable().default(null).describe("Steps between evaluations; null: only at the end."),
  limit: whole({ min: 1 }).nullable().default(null).describe("Evaluate on this many examples; null is all."),
  at_start: flag().default(true).describe("Evaluate the untrained model too."),
  max_completion_length: whole({ min: 1 }).nullable().default(null).describe("null is the stage's."),
  paradigm_at_test: text("none, best_on_validation or the name of a paradigm")
    .default("none")
    .describe("How questions are put: as they are, in a stage's paradigm, or in the one that validation prefers."),
  baselines: z
    .array(oneOf("blank_image", "wrong_image"), { error: "a list of blank_image and wrong_image" })
    .default([])
    .describe("Baselines that ask the model itself with other images, each as long as an evaluation."),
  conventional: z
    .array(oneOf("lr", "knn", "gbdt"), { error: "a list of lr, knn and gbdt" })
    .default([])
    .describe("Models without language that are fitted to the training questions once, as baselines."),
  subgroups: z
    .array(text("the name of a stratum"), { error: "a list of strata" })
    .default([])
    .describe("Strata, such as sex, whose groups are compared in yes/no questions."),
  shots: z
    .array(whole({ min: 1 }), { error: "a list of numbers of solved examples" })
    .default([])
    .describe("Before training and at its end, ask again with so many solved training examples before each question."),
});

const checkpoint = mapping({
  every: whole({ min: 1 }).nullable().default(50).describe("Steps between checkpoints; null: only at the end."),
  keep: whole({ min: 1 })
    .nullable()
    .default(2)
    .describe("Keep the newest so many, beside the end of every stage; null keeps all."),
  best: oneOf("accuracy").nullable().default(null).describe("Also keep the checkpoint whose evaluation was the best."),
});

/** The schema of a recipe. Parsing its output again gives the same recipe. */
export const recipeSchema = mapping({
  name: z
    .string({ error: "a name of letters, digits, dots, dashes and underscores" })
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, { error: "a name of letters, digits, dots, dashes and underscores" }),
  seed: whole({ min: 0 }).default(42),
  tuning_trials: whole({ min: 1 })
    .default(1)
    .describe("Runs that were tried to choose these settings, recorded so that readers see who was tuned more."),
  model,
  engine: engine.prefault({}),
  data,
  prompt: prompt.default("think_answer"),
  vocabulary: text("a vocabulary file")
    .nullable()
    .default(null)
    .describe("Medical terms, synonyms and negations that rewards read; null is the built-in vocabulary."),
  image: image.nullable().default(null).describe("Overrides the model's own limits on image size."),
  stages: z.array(stageSchema, { error: "a list of stages" }).min(1, { error: "a list of at least one stage" }),
  evaluate: evaluate.nullable().prefault({}).describe("null disables evaluation."),
  checkpoint: checkpoint.prefault({}),
  alarms: alarmsSchema,
  track: z.array(trackSchema, { error: "a list of trackers" }).default([]).describe("Experiment trackers of the run."),
})
  .refine(({ data, evaluate }) => data.eval !== null || evaluate === null || evaluate.every === null, {
    error: "needs data.eval to evaluate on",
    path: ["evaluate", "every"],
  })
  .superRefine(({ stages, evaluate }, context) => {
    const asked = evaluate?.paradigm_at_test ?? "none";
    const names = stages.flatMap((stage) => ("paradigms" in stage ? Object.keys(stage.paradigms ?? {}) : []));
    if (asked === "none" || (names.length > 0 && [...names, "best_on_validation"].includes(asked))) return;
    const known = names.length === 0 ? "none: no stage has paradigms" : `none, best_on_validation, ${names.join(", ")}`;
    context.addIssue({ code: "custom", path: ["evaluate", "paradigm_at_test"], message: `must be ${known}` });
  })
  .refine(({ data, evaluate, checkpoint }) => checkpoint.best === null || (data.eval !== null && evaluate !== null), {
    error: "needs evaluations to choose by: set data.eval, and do not set evaluate to null",
    path: ["checkpoint", "best"],
  });

type Immutable<T> = T extends object ? { readonly [K in keyof T]: Immutable<T[K]> } : T;

/** A recipe with all defaults filled in. */
export type Recipe = Immutable<z.output<typeof recipeSchema>>;
/** One stage of a recipe. */
export type Stage = Recipe["stages"][number];
/** A supervised stage. */
export type SftStage = Extract<Stage, { kind: "sft" }>;
/** A preference stage, trained on pairs of completions. */
export type PairStage = Extract<Stage, { kind: PairwiseName }>;
/** A stage of soft Q-learning. */
export type SoftQStage = Extract<Stage, { kind: "soft_q" }>;
/** A self-supervised stage of the vision tower alone. */
export type WarmUpStage = Extract<Stage, { kind: "warm_up" }>;
/** A reinforcement stage. */
export type RolloutStage = Extract<Stage, { kind: RolloutAlgorithmName }>;
/** A data set with its options; keys beyond the named ones are the data set's own. */
export type DatasetSpec = Recipe["data"]["train"];
/** A reward's weight and options; keys beyond `weight` are the reward's own. */
export type StageReward = RolloutStage["rewards"][string];
