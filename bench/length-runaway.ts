/**
 * Does the length of completions run away under a reward model that learnt from pairs whose better text is mostly the longer one?
 * Reasoning on generated images by its share of true claims, four in five winners longer by absent findings. Reward models: plain,
 * with limits of length (Rc), with pairs balanced by length; GRPO on each, and on accuracy as the control. Finished runs are kept.
 *
 * npx tsx bench/length-runaway.ts FOLDER [--seeds 1,2,3]; needs dist (npm run build)
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { targetText } from "../src/answers/prompts.ts";
import { meanOf } from "../src/core/mean.ts";
import { randomKey, uniform } from "../src/core/random.ts";
import type { Example } from "../src/core/records.ts";
import { loadDataset } from "../src/data/index.ts";
import { encodePng } from "../src/io/images.ts";
import { scanJsonl } from "../src/runs/jsonl.ts";

const { values: o, positionals } = parseArgs({
  allowPositionals: true,
  options: { seeds: { type: "string", default: "1,2,3" } },
});
if (positionals[0] === undefined) throw new Error("usage: bench/length-runaway.ts FOLDER [--seeds 1,2,3]");
const folder = resolve(positionals[0]);
const root = resolve(import.meta.dirname, "..");
const recipe = (name: string) => join(root, "recipes/preferences", `${name}.yaml`);

/** Absent findings that make a text longer and no less true; none is a kind of another. */
const fillers = ["pneumothorax", "ascites", "hydrocephalus", "infarct", "cardiomegaly", "hemorrhage"];
const FILLED = 3;

/** Stages of the reward models, all with one rate and as many steps. */
const kinds = {
  plain: "kind: reward_model",
  rc: "kind: rc_reward_model",
  balanced: "kind: reward_model, pair_balance: length",
};
const shared =
  "steps: 20, batch_size: 8, learning_rate: 1.0e-4, lr_scheduler_type: constant_with_warmup, warmup_steps: 2";

/** Pairs of true and false reasoning with one answer; `longer` is the share of winners that are filled up, else losers are. */
async function writePairs(name: string, count: number, longer: number, seed: number): Promise<string> {
  const file = join(folder, `${name}.jsonl`);
  if (existsSync(file)) return file;
  const own = { image_size: 112, difficulty: 0.2 };
  const examples = await loadDataset({ name: "phantom_world", split: "train", limit: count, seed, own });
  mkdirSync(join(folder, name), { recursive: true });
  const rows: string[] = [];
  for (const [i, example] of examples.entries()) {
    const other = examples.find(({ rationale }, j) => j > i && rationale !== example.rationale) ?? examples[0]!;
    if (other.rationale === example.rationale) continue;
    const isLonger = uniform(randomKey(seed, "longer"), i) < longer;
    const text = (rationale: string, isFilled: boolean) =>
      targetText(
        { ...example, rationale: isFilled ? filled(rationale, example) : rationale },
        "think_answer",
        "rationale_answer",
      );
    const image = `${name}/${i}.png`;
    writeFileSync(join(folder, image), await encodePng(example.images[0]!.pixels!));
    const { question, answer, answerType, choices, subjectId } = example;
    const asked = { question, answer, answer_type: answerType, ...(choices.length > 0 ? { choices } : {}) };
    const texts = { chosen: text(example.rationale!, isLonger), rejected: text(other.rationale!, !isLonger) };
    rows.push(JSON.stringify({ id: `${name}-${i}`, image, ...asked, subject: subjectId, ...texts }));
  }
  writeFileSync(file, `${rows.join("\n")}\n`);
  return file;
}

function filled(rationale: string, { rationale: own }: Example): string {
  const absent = fillers.filter((name) => !own!.includes(name) && !rationale.includes(name)).slice(0, FILLED);
  return `${rationale} ${absent.map((name) => `There is no ${name}.`).join(" ")}`;
}

function viva(...args: readonly string[]): void {
  execFileSync(process.execPath, ["--single-threaded-gc", join(root, "dist/cli/main.js"), ...args], {
    stdio: "ignore",
  });
}

function train(run: string, file: string, sets: readonly string[]): void {
  if (existsSync(join(run, "finished"))) return;
  const how = existsSync(join(run, "recipe.yaml")) ? ["--resume"] : [file, ...sets.flatMap((set) => ["--set", set])];
  viva("train", ...how, "--run", run, "--no-report");
  writeFileSync(join(run, "finished"), "");
}

/** A measure of the reward model's in an audit of held-out pairs. */
function measured(audit: string, name: string): number | null {
  const { audits } = JSON.parse(readFileSync(audit, "utf8")) as { readonly audits: readonly Audit[] };
  const { measures } = audits.find(({ scorer }) => scorer === "reward_model")!;
  return measures.find((it) => it.name === name)?.interval?.estimate ?? null;
}

interface Audit {
  readonly scorer: string;
  readonly measures: readonly Measure[];
}
interface Measure {
  readonly name: string;
  readonly interval: { readonly estimate: number } | null;
}

/** Lengths and rewards of the first and the last three steps, and the last evaluation. */
function outcome(run: string) {
  const steps = [...scanJsonl<Readonly<Record<string, number>>>(join(run, "metrics.jsonl"))];
  const about = (key: string, of: typeof steps) => meanOf(of.map((step) => step[key]!))!;
  const ends = (key: string) => [about(key, steps.slice(0, 3)), about(key, steps.slice(-3))];
  const items = [...scanJsonl<Readonly<Record<string, unknown>>>(join(run, "evals.jsonl"))];
  const right = items.filter(({ kind }) => kind === "item").map(({ strict }) => strict as number);
  return {
    tokens: ends("completion/length_mean"),
    truncated: ends("completion/truncated_fraction"),
    accuracy_sampled: ends("reward/accuracy/mean"),
    facts: ends("reward/facts/mean"),
    accuracy: meanOf(right),
  };
}

mkdirSync(folder, { recursive: true });
for (const seed of o.seeds.split(",").map(Number)) {
  const pairs = await writePairs(`pairs-${seed}`, 260, 0.8, seed);
  const heldOut = await writePairs(`held-out-${seed}`, 30, 0.5, 500 + seed);
  const grpo = (rewards: string) => [
    ...[`seed=${seed}`, "stages.0.steps=10", "stages.0.prompts_per_step=6", "stages.0.max_completion_length=120"],
    ...["stages.0.warmup_steps=2", "data.train.limit=390", "data.eval.limit=52", "evaluate.max_completion_length=120"],
    `stages.0.rewards={${rewards}, facts: 0, format: 0.5}`,
  ];
  const control = join(folder, `grpo-accuracy-${seed}`);
  train(control, recipe("grpo-on-reward-model"), grpo("accuracy: 1"));
  console.log(JSON.stringify({ seed, reward: "accuracy", ...outcome(control) }));
  for (const [name, kind] of Object.entries(kinds)) {
    const model = join(folder, `reward-${name}-${seed}`);
    const stage = `stages=[{${kind}, ${shared}, pairs: ${pairs}}]`;
    train(model, recipe("reward-model"), [`seed=${seed}`, stage, "data.train.limit=104", "data.eval.limit=26"]);
    const run = join(folder, `grpo-${name}-${seed}`);
    const own = grpo(`reward_model: {path: ${model}}, accuracy: 0`);
    const audit = join(folder, `audit-${name}-${seed}.json`);
    const told = own.flatMap((set) => ["--set", set]);
    if (!existsSync(audit))
      viva("rewards", "audit", heldOut, "--recipe", recipe("grpo-on-reward-model"), ...told, "--out", audit);
    train(run, recipe("grpo-on-reward-model"), own);
    const [longer, shorter] = ["longer", "shorter"].map((which) => measured(audit, `accuracy_${which}_better`));
    const audited = { longer_better: longer, shorter_better: shorter };
    console.log(JSON.stringify({ seed, reward: name, ...audited, ...outcome(run) }));
  }
}
