/** What `viva check` finds, as plain data with its schema: the object that `--json` prints. */
import * as z from "zod";
import type { RolloutRecord } from "../train/rollout-records.ts";

const count = z.int().min(0);
const gb = z.number().min(0);
const share = z.number().min(0).max(1);
const statistic = z.number().nullable().describe("over completions with a value; null where there is none");

const dataSet = z.strictObject({
  data: z.string().describe('the recipe\'s key: "data.train", "data.eval" or "stages.N.pairs"'),
  name: z.string().describe("of the data set"),
  path: z.string().nullable(),
  split: z.string().nullable().describe("null for a file of pairs"),
  examples: count.describe("before anything was left out"),
  kept: count,
  images: count.describe("different files among them"),
  prompt_tokens_mean: count,
  prompt_tokens_max: count,
  image_tokens_max: count,
  longest: z
    .strictObject({ example_id: z.string(), tokens: count })
    .describe("the example with the most tokens, its longest completion included"),
  dropped: z.partialRecord(
    z.enum(["image_missing", "image_or_text", "too_long"]),
    z.strictObject({ count, first: z.array(z.string()).describe("ids") }),
  ),
  notices: z
    .array(
      z.strictObject({
        notice: z.enum(["dark_images", "no_window", "image_tag", "html", "lost_letters", "equal_options"]),
        count: count.describe("examples"),
        first: z.array(z.string()).describe("ids"),
        message: z.string(),
      }),
    )
    .describe("what may not be meant, though it can be used"),
});

const stage = z.strictObject({
  stage: count.describe("position in the recipe, from 0"),
  kind: z.string(),
  steps: count,
  rewards: z.array(z.string()).describe("names; empty where nothing is sampled"),
});

const memory = z.strictObject({
  stage: z.string().describe('the stage that needs most, for example "stages.1 (grpo)"'),
  largest_step: z.strictObject({
    prompts: count,
    prompt_tokens: count.describe("of the longest prompt"),
    image_tokens: count.describe("those of them that stand for images"),
    num_generations: count,
    completion_tokens: count,
  }),
  parts_gb: z.record(z.string(), gb),
  total_gb: gb,
  available_gb: gb.describe("what the machine has, or the container allows"),
  free_gb: gb.describe("what no program uses now"),
  fits: z.boolean(),
  changes: z
    .array(z.strictObject({ change: z.string(), total_gb: gb, fits: z.boolean() }))
    .describe("where it does not fit: changes of the recipe that bring it down, each alone, the most first"),
  together_gb: gb.nullable().describe("with all changes at once; null without any"),
  device: z
    .strictObject({
      parts_gb: z.record(z.string(), gb),
      total_gb: gb,
      available_gb: gb.nullable().describe("null where this system does not tell it"),
      fits: z.boolean().describe("true where it is not told"),
    })
    .nullable()
    .describe("the device's own memory; null where it has none"),
});

const rewardSummary = z.strictObject({
  weight: z.number().nullable().describe("null for the sum"),
  mean: statistic,
  std: statistic,
  min: statistic,
  max: statistic,
  zero_fraction: share.describe("of all completions"),
  null_fraction: share,
});

/** What would keep a stage from learning. */
const warning = z.strictObject({
  reward: z.string().nullable().describe("null where it is about all of them"),
  message: z.string(),
  hint: z.string(),
});

const sampledStage = z.strictObject({
  stage: count,
  kind: z.string(),
  summary: z.record(z.string(), rewardSummary).describe("by name; reward, the weighted sum, last"),
  truncated_fraction: share,
  zero_std_fraction: share.describe("of groups: all completions earn the same"),
  warnings: z.array(warning),
  groups: z.array(z.record(z.string(), z.unknown())).describe("as in rollouts.jsonl"),
});

const samples = z.strictObject({
  policy: z.string().describe('what was sampled from: "random weights", a model, or a checkpoint'),
  stages: z.array(sampledStage).describe("those that sample"),
});

export const checkSchema = z.strictObject({
  schema: z.literal("viva.check/1"),
  recipe: z.string(),
  can_run: z
    .boolean()
    .describe("false where the memory is not there, data are shared that may not be, or the server cannot do it"),
  model: z.strictObject({
    path: z.string(),
    revision: z.string().nullable().describe("commit on the Hub"),
    init: z.enum(["pretrained", "random"]),
    lora_rank: count.nullable().describe("null: the model's own weights are trained"),
    quantize_frozen: z.enum(["int8", "int4"]).nullable(),
    stop_token_ids: z.array(count),
  }),
  data: z.array(dataSet),
  overlap: z
    .strictObject({
      subjects: count,
      questions: count,
      of: count.describe("questions of data.eval"),
      first: z.array(z.string()).describe("subjects"),
      copies: z
        .strictObject({ images: count, judged: z.string(), seen: z.string() })
        .optional()
        .describe("images of data.eval with the pixels of a training image, and the first"),
      allowed: z.boolean().describe("false stops training"),
    })
    .nullable()
    .describe("what data.eval shares with the training data; null for nothing"),
  stages: z.array(stage),
  steps: count.describe("of all stages"),
  memory: memory.nullable().describe("null where the engine computes elsewhere"),
  engine: z
    .strictObject({
      record: z.record(z.string(), z.unknown()).describe("what the server was found to do"),
      refused: z.array(z.string()).describe("what the recipe asks of it in vain, by key"),
      notices: z.array(z.string()).describe("what it does otherwise than asked"),
    })
    .nullable()
    .describe("the server that computes; null for this machine"),
  samples: samples.nullable().describe("null where none were asked for, and where the recipe does not fit"),
});

export type RewardSummary = z.output<typeof rewardSummary>;
export type SampleWarning = z.output<typeof warning>;
export type SampledStage = Omit<z.output<typeof sampledStage>, "groups"> & {
  readonly groups: readonly RolloutRecord[];
};
/** One per stage that samples. */
export type RewardSamples = Omit<z.output<typeof samples>, "stages"> & { readonly stages: readonly SampledStage[] };
export type RecipeCheck = Omit<z.output<typeof checkSchema>, "samples"> & { readonly samples: RewardSamples | null };

/** JSON Schema (draft 2020-12) of the object. */
export function checkJsonSchema(): Readonly<Record<string, unknown>> {
  return { ...z.toJSONSchema(checkSchema, { reused: "ref" }), title: "viva check of a recipe" };
}
