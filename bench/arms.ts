/**
 * Runs arms of the study on the phantom, each with several seeds, and tabulates reward, accuracy and time in Markdown.
 * usage: npm run build && npx tsx bench/arms.ts [--arms grpo,dr_grpo-none] [--seeds 1,2,3] [--runs runs/arms] [--out FILE]
 *          [--encoder FOLDER] [--judge URL --judge-model NAME] [--set key=value …]
 * A run that is finished is not run again, one that was stopped goes on; `grpo` is always among the arms, to compare with.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { parse } from "yaml";

const root = fileURLToPath(new URL("..", import.meta.url));
const main = join(root, "dist/cli/main.js");
const recipes = join(root, "recipes/arms");

const text = { type: "string" } as const;
const { values: o } = parseArgs({
  options: {
    ...{ arms: text, out: text, encoder: text, judge: text },
    "judge-model": text,
    seeds: { ...text, default: "1,2,3" },
    runs: { ...text, default: "runs/arms" },
    set: { ...text, multiple: true, default: [] },
  },
});
const runs = resolve(o.runs);
const seeds = o.seeds.split(",").map(Number);

interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

/** What a run showed in its last stage. */
interface Result {
  readonly seed: number;
  /** Mean reward of the first and of the last fifth of the stage's steps; null where nothing is rewarded. */
  readonly reward: readonly [number, number] | null;
  /** Before the stage and at its end. */
  readonly accuracy: readonly [Interval | null, Interval];
  readonly stepSeconds: number;
  /** Training and sampling, without evaluations. */
  readonly seconds: number;
}

const known = readdirSync(recipes).map((file) => file.replace(/\.yaml$/, ""));
const wanted = o.arms?.split(",") ?? known.filter((name) => name !== "start");
const unknown = wanted.find((name) => !known.includes(name));
if (unknown !== undefined) throw new Error(`no arm ${unknown}; there are ${known.join(", ")}`);
const skipped = wanted.filter((name) => servicesOf(name) === null);
for (const name of skipped) console.log(`${name}: left out, it needs --encoder, or --judge and --judge-model`);

const results = new Map<string, Result[]>();
for (const name of new Set(["grpo", ...wanted])) {
  if (skipped.includes(name)) continue;
  for (const seed of seeds) {
    if (isAdapted(name)) train("start", seed);
    results.set(name, [...(results.get(name) ?? []), read(train(name, seed), seed)]);
    console.log(row(name));
  }
}
const page = `${header()}\n${[...results.keys()].map(row).join("\n")}\n`;
console.log(`\n${page}`);
if (o.out !== undefined) writeFileSync(o.out, page);

function recipeOf(name: string) {
  return parse(readFileSync(join(recipes, `${name}.yaml`), "utf8")) as {
    readonly model: { readonly path: string; readonly lora?: object };
    readonly stages: readonly object[];
  };
}

/** Adapters begin from the weights that `start` leaves. */
function isAdapted(name: string): boolean {
  return recipeOf(name).model.lora !== undefined;
}

/** Changes that name an arm's encoder or judge; null where it needs one and none is given. */
function servicesOf(name: string): readonly string[] | null {
  const semantic = "stages.1.rewards.semantic";
  if (name === "semantic-embedding")
    return o.encoder === undefined ? null : [`${semantic}.encoder=${resolve(o.encoder)}`];
  if (name !== "semantic-judge") return [];
  const { judge, "judge-model": model } = o;
  return judge === undefined || model === undefined
    ? null
    : [`${semantic}.base_url=${judge}`, `${semantic}.model=${model}`];
}

/** Runs an arm to its end unless it is there; returns its folder. */
function train(name: string, seed: number): string {
  const folder = join(runs, `${name}-${seed}`);
  if (existsSync(join(folder, "recipe.yaml"))) {
    if (lines(folder, "events.jsonl").at(-1)?.["event"] !== "run_end")
      viva("train", "--run", folder, "--resume", "--quiet");
    return folder;
  }
  const start = join(runs, `start-${seed}`);
  const { model } = recipeOf(name);
  const changes = [
    `seed=${seed}`,
    ...(name === "start" ? [] : ["evaluate.at_start=true"]),
    ...(model.lora === undefined ? [] : [`model.path=${model.path.replace(/^runs\/arms\/start/, start)}`]),
    ...servicesOf(name)!,
    ...o.set,
  ];
  viva("train", join(recipes, `${name}.yaml`), "--run", folder, "--quiet", ...changes.flatMap((c) => ["--set", c]));
  return folder;
}

function viva(...args: readonly string[]): void {
  execFileSync(process.execPath, [main, ...args], { stdio: ["ignore", "inherit", "inherit"] });
}

// biome-ignore lint/suspicious/noExplicitAny: lines of two kinds, as the run wrote them
function lines(folder: string, file: string): any[] {
  return readFileSync(join(folder, file), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

function read(folder: string, seed: number): Result {
  const { step: first } = lines(folder, "events.jsonl").findLast(({ event }) => event === "stage_start");
  const steps = lines(folder, "metrics.jsonl").filter(({ step }) => step >= first);
  const summaries = lines(folder, "evals.jsonl").filter(({ kind }) => kind === "summary");
  const accuracy = (summary: { subsets: { overall: { accuracy: Interval } } }) => summary.subsets.overall.accuracy;
  const before = summaries.findLast(({ step }) => step < first);
  const fifth = Math.max(1, Math.floor(steps.length / 5));
  const rewards: number[] = steps.map((step) => step["reward/mean"]);
  const seconds: number[] = steps.map((step) => step["time/step_s"]);
  return {
    seed,
    reward: rewards[0] === undefined ? null : [mean(rewards.slice(0, fifth)), mean(rewards.slice(-fifth))],
    accuracy: [before === undefined ? null : accuracy(before), accuracy(summaries.at(-1))],
    stepSeconds: [...seconds].sort((a, b) => a - b)[Math.floor(seconds.length / 2)]!,
    seconds: seconds.reduce((a, b) => a + b, 0),
  };
}

function header(): string {
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: root, encoding: "utf8" }).trim();
  const changed = o.set.length > 0 ? ` with ${o.set.join(", ")}` : "";
  return `# Results on the phantom

Written by \`bench/arms.ts\`${changed} at ${commit}, ${new Date().toISOString().slice(0, 10)}: ${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.version}. A line for each seed (${seeds.join(", ")}), which also decides the films. Reward: mean of the first and of the last fifth of the last stage's steps. Accuracy: greedy answers to the test questions, %, with the interval of 95 % over subjects, before the last stage and after it. Time: of the last stage, training and sampling; beside plain GRPO (\`grpo\`) of the same seed. The arms: [recipes/README.md](../../recipes/README.md).

| arm | reward | accuracy before | accuracy after | s a step | s in all | × grpo |
|---|---|---|---|---|---|---|`;
}

function row(name: string): string {
  const all = results.get(name)!;
  const cell = (show: (result: Result) => string) => all.map(show).join("<br>");
  const percent = (interval: Interval | null) => {
    if (interval === null) return "–";
    const [estimate, low, high] = [interval.estimate, interval.low, interval.high].map((x) => (100 * x).toFixed(1));
    return `${estimate} [${low}, ${high}]`;
  };
  const beside = ({ seed, seconds }: Result) =>
    seconds / results.get("grpo")!.find((plain) => plain.seed === seed)!.seconds;
  const cells = [
    cell(({ reward }) => (reward === null ? "–" : `${reward[0].toFixed(3)} → ${reward[1].toFixed(3)}`)),
    cell(({ accuracy }) => percent(accuracy[0])),
    cell(({ accuracy }) => percent(accuracy[1])),
    cell(({ stepSeconds }) => stepSeconds.toFixed(2)),
    cell(({ seconds }) => seconds.toFixed(0)),
    cell((result) => beside(result).toFixed(2)),
  ];
  return `| ${name} | ${cells.join(" | ")} |`;
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
