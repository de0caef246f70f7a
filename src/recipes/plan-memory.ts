/** The memory that a recipe's largest step will take, told and checked before anything is allocated. */
import { totalmem } from "node:os";
import { UserError } from "../core/errors.ts";
import type { LocalEngineOptions } from "../engine/local/local-core.ts";
import { type LargestStep, type MemoryPlan, planMemory } from "../engine/local/memory-plan.ts";
import type { PreflightReport } from "./preflight.ts";
import type { Recipe, Stage } from "./schema.ts";
import { isPreference, isSupervised, needsOf } from "./stage-kinds.ts";

/** The plan of the stage that needs most. UserError, with what to change, where it is more than `available` bytes. */
export function planRun(
  recipe: Recipe,
  options: LocalEngineOptions,
  data: PreflightReport,
  available = availableBytes(),
): MemoryPlan {
  const steps = recipe.stages.map((stage) => largestStep(stage, data));
  const planWith = (o: Partial<LocalEngineOptions>) => {
    const plans = steps.map((step) => planMemory({ ...options, ...o }, step));
    return plans.reduce((a, b) => (b.total > a.total ? b : a));
  };
  const plan = planWith({});
  if (plan.total <= available) return plan;
  const { model, engine } = recipe;
  const halved = Math.max(1, Math.floor(engine.micro_batch_tokens / 2));
  const changes: readonly (readonly [string, Partial<LocalEngineOptions>])[] = [
    ["engine.activation_memory_gb: 0", { activationBytes: 0 }],
    [`engine.micro_batch_tokens: ${halved}`, { microBatchTokens: halved }],
    [`engine.rows: ${Math.ceil(engine.rows / 4)}`, { rows: Math.ceil(engine.rows / 4) }],
    ...(model.lora === null ? [["model.lora: {}", { lora: fewAdapters, freeze: [] }] as const] : []),
    ...(model.lora !== null && model.quantize_frozen === null
      ? [["model.quantize_frozen: int8", { quantizeFrozen: 8 }] as const]
      : []),
  ];
  const helpful = changes
    .map(([change, o]) => ({ change, total: planWith(o).total }))
    .filter(({ total }) => total < 0.98 * plan.total)
    .sort((a, b) => a.total - b.total)
    .map(({ change, total }) => `${change} (${gb(total)})`);
  throw new UserError(
    `this run would take about ${gb(plan.total)} of memory (${describeParts(plan)}), and ${gb(available)} are there; alone would bring it down: ${helpful.join(", ")}`,
  );
}

/** The step with the longest rows of all stages. */
export function longestStep(recipe: Recipe, data: PreflightReport): LargestStep {
  const tokens = (step: LargestStep) => step.numGenerations * step.completionTokens;
  return recipe.stages.map((stage) => largestStep(stage, data)).reduce((a, b) => (tokens(b) > tokens(a) ? b : a));
}

/** "memory: at most about 2.4 GB (activations 0.9 GB, …)" */
export function describePlan(plan: MemoryPlan): string {
  return `memory: at most about ${gb(plan.total)} (${describeParts(plan)})`;
}

/** The recipe's defaults for model.lora. */
const fewAdapters = { r: 16, lora_alpha: 32, target_modules: "all-linear" } as const;

function largestStep(stage: Stage, data: PreflightReport): LargestStep {
  const { generation, reference } = needsOf(stage);
  const prompts = { promptTokens: data.prompt_tokens_max, imageTokens: data.image_tokens_max, reference };
  const own = Math.max(1, data.longest.tokens - data.prompt_tokens_max);
  if (isSupervised(stage)) {
    return { ...prompts, prompts: stage.batch_size, numGenerations: 1, completionTokens: own };
  }
  if (isPreference(stage)) {
    const completionTokens = generation?.max_completion_length ?? own;
    return { ...prompts, prompts: stage.batch_size, numGenerations: 2, completionTokens };
  }
  const { prompts_per_step, num_generations, max_completion_length } = stage;
  return {
    ...prompts,
    prompts: prompts_per_step,
    numGenerations: num_generations,
    completionTokens: max_completion_length,
  };
}

/** The machine's memory, or what a container may have of it. */
function availableBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

function describeParts({ parts }: MemoryPlan): string {
  return Object.entries(parts)
    .filter(([, bytes]) => bytes > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([part, bytes]) => `${part} ${gb(bytes)}`)
    .join(", ");
}

const gb = (bytes: number) => `${(bytes / 1e9).toPrecision(2)} GB`;
