/** The memory that a recipe's largest step will take, told and checked before anything is allocated. */
import { totalmem } from "node:os";
import { UserError } from "../core/errors.ts";
import type { EngineBackend, EngineOptions, LargestStep, MemoryPlan } from "../engine/backend.ts";
import type { Recipe, Stage } from "../recipes/schema.ts";
import { environmentOf, isPreference, isSoftQ, isSupervised, isWarmUp, needsOf } from "../recipes/stage-kinds.ts";
import type { PreflightReport } from "./preflight.ts";

/** What a run will take at the most, and what there is. */
export interface RunMemory {
  /** The stage that needs most, and its largest step. */
  readonly stage: string;
  readonly step: LargestStep;
  readonly plan: Plan;
  /** Bytes that a run may have here. */
  readonly available: number;
  readonly fits: boolean;
  /** Where it does not fit, what would bring it down, each alone, the most first; empty too when nothing would. */
  readonly changes: readonly MemoryChange[];
  /** Bytes with all changes at once; null without any. */
  readonly together: number | null;
  /** The same of the device's own memory, of which `available` is infinite where it is not told; null where there is none. */
  readonly device: RunMemory | null;
}

/** A change of the recipe, such as "engine.activation_memory_gb: 0", and the bytes that the run takes with it. */
export interface MemoryChange {
  readonly change: string;
  readonly total: number;
}

type Plan = Omit<MemoryPlan, "device">;

/** The plan of the stage that needs most, by the engine's own reckoning. `deviceBytes`: the device's memory, if it is told. */
export function planRun(
  recipe: Recipe,
  planMemory: NonNullable<EngineBackend["planMemory"]>,
  options: EngineOptions,
  data: PreflightReport,
  available: number,
  deviceBytes: number | null = null,
): RunMemory {
  const here = planPlace(recipe, planMemory, options, data, available);
  if (here.plan.device === null) return { ...here, device: null };
  const there = planPlace(recipe, (o, step) => planMemory(o, step).device!, options, data, deviceBytes ?? Infinity);
  return { ...here, device: { ...there, device: null } };
}

/** The same of one of the two memories. */
function planPlace<P extends Plan>(
  recipe: Recipe,
  planMemory: (options: EngineOptions, step: LargestStep) => P,
  options: EngineOptions,
  data: PreflightReport,
  available: number,
): Omit<RunMemory, "plan" | "device"> & { readonly plan: P } {
  const steps = recipe.stages.flatMap((stage, i) =>
    largestSteps(stage, data).map((step) => ({ stage: `stages.${i} (${stage.kind})`, step })),
  );
  const planWith = (o: Partial<EngineOptions>) => {
    const plans = steps.map((at) => ({ ...at, plan: planMemory({ ...options, ...o }, at.step) }));
    return plans.reduce((a, b) => (b.plan.total > a.plan.total ? b : a));
  };
  const largest = planWith({});
  const { total } = largest.plan;
  if (total <= available) return { ...largest, available, fits: true, changes: [], together: null };
  const helpful = possibleChanges(recipe, options)
    .map(({ change, o }) => ({ change, o, total: planWith(o).plan.total }))
    .filter((changed) => changed.total < 0.98 * total)
    .sort((a, b) => a.total - b.total);
  const all = Object.assign({}, ...helpful.map(({ o }) => o));
  return {
    ...{ ...largest, available, fits: false },
    changes: helpful.map(({ change, total: changed }) => ({ change, total: changed })),
    together: helpful.length === 0 ? null : planWith(all).plan.total,
  };
}

function possibleChanges(
  { model, engine }: Recipe,
  options: EngineOptions,
): readonly { change: string; o: Partial<EngineOptions> }[] {
  const hasAdapters = (options.lora ?? null) !== null;
  const halved = Math.max(1, Math.floor(engine.micro_batch_tokens / 2));
  const rows = Math.ceil(engine.rows / 4);
  const lora = { lora: fewAdapters, freeze: [] };
  const integers = { quantizeFrozen: 8 } as const;
  return [
    { change: "engine.activation_memory_gb: 0", o: { activationBytes: 0 } },
    { change: `engine.micro_batch_tokens: ${halved}`, o: { microBatchTokens: halved } },
    { change: `engine.rows: ${rows}`, o: { rows } },
    ...(!hasAdapters
      ? [
          { change: "model.lora: {}", o: lora },
          { change: "model.lora: {} with model.quantize_frozen: int8", o: { ...lora, ...integers } },
        ]
      : []),
    ...(hasAdapters && model.quantize_frozen === null ? [{ change: "model.quantize_frozen: int8", o: integers }] : []),
  ];
}

/** UserError, with what to change, where a run does not fit. */
export function requireMemory({ device, ...here }: RunMemory): void {
  requirePlace(here, "memory");
  if (device !== null) requirePlace(device, "the device's memory");
}

function requirePlace({ plan, available, fits, changes, together }: Omit<RunMemory, "device">, memory: string): void {
  if (fits) return;
  const alone = changes.map(({ change, total }) => `${change} (${gb(total)})`).join(", ");
  const both = changes.length > 1 ? `; together: ${gb(together!)}` : "";
  const advice = changes.length > 0 ? `alone would bring it down: ${alone}${both}` : "a smaller model is needed";
  throw new UserError(
    `this run would take about ${gb(plan.total)} of ${memory} (${describeParts(plan)}), and ${gb(available)} are there; ${advice}`,
  );
}

/** Whether a run fits into this machine's memory and into the device's. */
export function fitsAll({ fits, device }: RunMemory): boolean {
  return fits && device?.fits !== false;
}

/** The step with the longest rows of all stages. */
export function longestStep(recipe: Recipe, data: PreflightReport): LargestStep {
  const tokens = (step: LargestStep) => step.numGenerations * step.completionTokens;
  const steps = recipe.stages.flatMap((stage) => largestSteps(stage, data));
  return steps.reduce((a, b) => (tokens(b) > tokens(a) ? b : a));
}

/** "memory: at most about 2.4 GB (activations 0.9 GB, …)" */
export function describePlan({ plan, device }: RunMemory): string {
  const there = device === null ? "" : `; on the device: ${gb(device.plan.total)} (${describeParts(device.plan)})`;
  return `memory: at most about ${gb(plan.total)} (${describeParts(plan)})${there}`;
}

/** The recipe's defaults for model.lora. */
const fewAdapters = { r: 16, lora_alpha: 32, target_modules: "all-linear" } as const;

/** Of a stage; two where its pairs are chosen from more completions than are learnt from. */
function largestSteps(stage: Stage, data: PreflightReport): readonly LargestStep[] {
  const { generation, reference } = needsOf(stage);
  const masked = stage.importance_masking !== "none";
  const { prompt_tokens_max: promptTokens, image_tokens_max: imageTokens } = data;
  const prompts = { promptTokens, imageTokens, reference, masked, observed: observedIn(stage, imageTokens) };
  const own = Math.max(1, data.longest.tokens - data.prompt_tokens_max);
  if (isSupervised(stage)) {
    const completionTokens = own + (prompts.observed?.imageTokens ?? 0);
    return [{ ...prompts, prompts: stage.batch_size, numGenerations: 1, completionTokens }];
  }
  if (isWarmUp(stage)) {
    return [{ ...prompts, prompts: 2 * stage.batch_size, numGenerations: 1, completionTokens: 1 }];
  }
  if (isPreference(stage)) {
    const completionTokens = generation?.max_completion_length ?? own;
    // The first two roles share a prompt, every further one has its own.
    const count = stage.batch_size * (needsOf(stage).roles.length - 1);
    const learning = { ...prompts, prompts: count, numGenerations: 2, completionTokens };
    if (generation === null) return [learning];
    return [learning, { ...learning, prompts: stage.batch_size, numGenerations: generation.num_generations }];
  }
  const { prompts_per_step, num_generations, max_completion_length } = stage;
  const sampled = { prompts: prompts_per_step, numGenerations: num_generations };
  return [{ ...prompts, ...sampled, critic: isSoftQ(stage), completionTokens: max_completion_length }];
}

/** Of a stage with tools: an image as large as a prompt's after every call, as far as a completion's length has room. */
function observedIn(stage: Stage, imageTokens: number): NonNullable<LargestStep["observed"]> | null {
  const environment = environmentOf(stage);
  if (environment === null) return null;
  const images = environment.max_turns - 1;
  const room = needsOf(stage).generation?.max_completion_length ?? Infinity;
  return { images, imageTokens: Math.min(images * imageTokens, room) };
}

/** The machine's memory, or what a container may have of it. */
export function availableBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

function describeParts({ parts }: Plan): string {
  return Object.entries(parts)
    .filter(([, bytes]) => bytes > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([part, bytes]) => `${part} ${gb(bytes)}`)
    .join(", ");
}

const gb = (bytes: number) => `${(bytes / 1e9).toPrecision(2)} GB`;
