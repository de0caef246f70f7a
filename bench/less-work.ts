/**
 * What it saves to compute nothing for completions without a gradient, and to train on fewer than are sampled: in one
 * process, on the very same rollouts, the training of a step that computes everything and of each variant, in turn.
 * Weights stand still (learning rate 0), so that all variants see one policy. Prints one JSON object: medians over the
 * steps but the first, which compiles, and medians of the steps' own ratios.
 * usage: npx tsx bench/less-work.ts RECIPE.yaml [--set KEY=VALUE …] [--steps 8] [--train-completions K] [--offset N]
 */
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import type { RolloutGroup } from "../src/core/records.ts";
import { loadRecipe } from "../src/recipes/load.ts";
import type { RolloutStage } from "../src/recipes/schema.ts";
import { isPreference, isSupervised } from "../src/recipes/stage-kinds.ts";
import { rewardsAt } from "../src/rewards/index.ts";
import { openSession } from "../src/session/session.ts";
import { withAdvantages } from "../src/train/advantages.ts";
import { collectWith } from "../src/train/collect-rollouts.ts";
import type { TrainingContext } from "../src/train/context.ts";
import { sampleGroups, samplingOptions } from "../src/train/sampling.ts";
import type { RolloutSettings } from "../src/train/settings.ts";
import { updatePolicy } from "../src/train/updates.ts";

const text = { type: "string" } as const;
const { values: o, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    set: { ...text, multiple: true, default: [] },
    ...{ steps: { ...text, default: "8" }, offset: { ...text, default: "0" }, "train-completions": text },
  },
});
if (positionals.length !== 1) throw new Error("usage: bench/less-work.ts RECIPE.yaml [--set KEY=VALUE …]");

const { recipe } = loadRecipe(positionals[0]!, o.set);
const session = await openSession(recipe, tmpdir());
const at = recipe.stages.findLastIndex((stage) => !isSupervised(stage) && !isPreference(stage));
const settings: RolloutSettings = {
  ...(recipe.stages[at] as RolloutStage),
  ...{ learning_rate: 0, weight_decay: 0, filter_groups: null, train_completions: null },
};

interface Variant {
  readonly name: string;
  readonly settings: RolloutSettings;
  readonly all: boolean;
}
const fewer = (train_selection: RolloutSettings["train_selection"]): Variant[] =>
  o["train-completions"] === undefined
    ? []
    : [
        {
          name: train_selection,
          settings: { ...settings, train_selection, train_completions: Number(o["train-completions"]) },
          all: false,
        },
      ];
const variants: readonly Variant[] = [
  { name: "everything", settings, all: true },
  { name: "what has a gradient", settings, all: false },
  ...fewer("max_variance"),
  ...fewer("max_advantage"),
];

interface Timed {
  readonly train: number;
  /** Processor time of training, all threads together: what a busy machine changes least. */
  readonly cpu: number;
  readonly sample: number;
  /** Prompt and completion tokens, each prompt once. */
  readonly tokens: number;
}

const base = { ...session, tools: null, examples: session.train, seed: recipe.seed, stage: at, steps: 1000 };
const shared = { ...base, onBadImage: "error" as const, onSkip: () => {} };
const context: TrainingContext = { ...shared, collect: collectWith(shared, null) };
const steps: Timed[][] = [];
const zeroSpread: number[] = [];
for (let i = 0; i < Number(o.steps); i++) {
  const position = { index: Number(o.offset) + i, step: i + 1 };
  const weighted = rewardsAt(session.rewards[at]!, position.index);
  const sampling = samplingOptions(settings, recipe.seed, position.step);
  const plan = { sampling, count: settings.prompts_per_step, filter: null };
  const row: Timed[] = [];
  // Each variant trains right after sampling, as a step does; the order turns from step to step.
  for (const [v] of variants.entries()) {
    const which = (v + i) % variants.length;
    const variant = variants[which]!;
    const started = performance.now();
    const sampled = await sampleGroups(context, plan, weighted, position);
    const { groups } = withAdvantages(context, sampled.groups, weighted, variant.settings, position);
    const before = process.cpuUsage();
    const between = performance.now();
    const metrics = await updatePolicy(context, variant.settings, groups, sampling, position, { all: variant.all });
    const ended = performance.now();
    const { user, system } = process.cpuUsage(before);
    row[which] = {
      sample: (between - started) / 1000,
      train: (ended - between) / 1000,
      cpu: (user + system) / 1e6,
      tokens: tokensOf(groups, variant.all),
    };
    if (which === 1) zeroSpread.push(1 - Number(metrics["completion/trained_fraction"]));
  }
  steps.push(row);
}
await session.close();

const counted = steps.slice(1);
const result = variants.map(({ name }, v) => {
  const of = (value: (row: readonly Timed[]) => number) => median(counted.map(value));
  return {
    name,
    train_seconds: of((row) => row[v]!.train),
    step_seconds: of((row) => row[v]!.sample + row[v]!.train),
    train_ratio: of((row) => row[v]!.train / row[0]!.train),
    train_cpu_ratio: of((row) => row[v]!.cpu / row[0]!.cpu),
    step_ratio: of((row) => (row[v]!.sample + row[v]!.train) / (row[0]!.sample + row[0]!.train)),
    token_ratio: of((row) => row[v]!.tokens / row[0]!.tokens),
    // Of sums over the steps: what a run would take.
    train_cpu_ratio_of_sums: sum(counted, (row) => row[v]!.cpu) / sum(counted, (row) => row[0]!.cpu),
    token_ratio_of_sums: sum(counted, (row) => row[v]!.tokens) / sum(counted, (row) => row[0]!.tokens),
  };
});
const share = zeroSpread.slice(1).reduce((a, b) => a + b, 0) / counted.length;
console.log(JSON.stringify({ steps: counted.length, share_without_gradient: share, variants: result }, null, 2));

function tokensOf(groups: readonly RolloutGroup[], all: boolean): number {
  return sum(groups, ({ prompt, completions, advantages, chosen }) => {
    const own = completions.filter((_, i) => all || ((chosen?.[i] ?? true) && advantages[i] !== 0));
    return own.length === 0 ? 0 : prompt.tokenIds.length + sum(own, ({ tokenIds }) => tokenIds.length - 1);
  });
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return Number.isInteger(middle) ? (sorted[middle - 1]! + sorted[middle]!) / 2 : sorted[Math.floor(middle)]!;
}
