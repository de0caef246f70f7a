/** A recipe to begin with for some data and a model: learning rates and image sizes that suit its size, in the memory there is. */
import type { Device } from "../core/device.ts";
import type { Example } from "../core/records.ts";
import { parseRecipe } from "../recipes/load.ts";
import { loadExamples } from "../session/examples.ts";
import { type ModelFacts, modelFacts } from "../session/model-facts.ts";
import { locateRecipe } from "../session/recipe-sources.ts";
import type { SourceOptions } from "../session/sources.ts";
import { checkRecipe } from "./check-recipe.ts";
import type { RecipeCheck } from "./check-schema.ts";

export interface Proposal {
  /** What the recipe holds, without defaults. */
  readonly input: object;
  readonly check: RecipeCheck;
}

export interface ProposalOptions extends SourceOptions {
  readonly name: string;
  readonly model: string;
  readonly device: Device;
  /** As in a recipe; null where nothing is there to evaluate on. */
  readonly data: { readonly train: object; readonly eval: object | null };
  readonly signal: AbortSignal;
}

/** Models above this many weights get adapters, whose learning rates are higher. The bound and the rates below are viva's own. */
const SMALL = 100e6;

/** Tokens of an image at most, for models whose own limit is thousands. */
const IMAGE_TOKENS = 512;

/** The rates of docs/own-data.md for viva-tiny-instruct, and ten times TRL's for full training, as its guide to LoRA advises. */
const rates = { small: { sft: 3e-4, grpo: 1e-5 }, adapters: { sft: 1e-4, grpo: 1e-5 } };

/** Ways to hold a large model, the most exact first. */
const frozen = [{}, { quantize_frozen: "int8" }, { quantize_frozen: "int4" }];

/** The first way whose memory this machine has; the last one where none fits, as its check says. UserError as `viva check`. */
export async function proposeRecipe(o: ProposalOptions): Promise<Proposal> {
  const facts = await modelFacts(o.model, o);
  const { local } = await locateRecipe(parseRecipe(recipeOf(o, facts, {}, 32)), o);
  const length = completionLength((await loadExamples(local.data.train, local)).examples);
  const ways = facts.isAdapter || facts.parameters <= SMALL ? [{}] : frozen.map((way) => ({ lora: {}, ...way }));
  let last: Proposal | null = null;
  for (const way of ways) {
    const input = recipeOf(o, facts, way, length);
    last = { input, check: await checkRecipe(parseRecipe(input), { ...o, sample: 0, checkpoint: null }) };
    const { memory } = last.check;
    if (memory === null || (memory.fits && memory.device?.fits !== false)) break;
  }
  return last!;
}

function recipeOf(o: ProposalOptions, facts: ModelFacts, way: object, length: number): object {
  const { name, model, device, data } = o;
  const isSmall = facts.parameters <= SMALL;
  const { sft, grpo } = isSmall ? rates.small : rates.adapters;
  const limits =
    isSmall || facts.pixelsPerToken === null ? {} : { image: { max_pixels: IMAGE_TOKENS * facts.pixelsPerToken } };
  const sizes = isSmall ? { batch: 16, prompts: 8 } : { batch: 8, prompts: 4 };
  return {
    name,
    model: { path: model, ...way },
    ...(device === "cpu" ? {} : { engine: { device } }),
    data: { train: data.train, ...(data.eval === null ? {} : { eval: data.eval }) },
    prompt: "answer_only",
    ...limits,
    stages: [
      { kind: "sft", steps: 200, batch_size: sizes.batch, learning_rate: sft },
      {
        kind: "grpo",
        steps: 50,
        prompts_per_step: sizes.prompts,
        max_completion_length: length,
        learning_rate: grpo,
        rewards: { accuracy: 1, format: 0.5 },
      },
    ],
    ...(data.eval === null ? { evaluate: null } : { checkpoint: { best: "accuracy" } }),
  };
}

/** Room for the longest answer and its tags: a token for every two characters at worst, in steps of 16. */
function completionLength(examples: readonly Example[]): number {
  const longest = Math.max(0, ...examples.map(({ answer }) => answer.length));
  return Math.max(32, Math.ceil((longest / 2 + 16) / 16) * 16);
}
