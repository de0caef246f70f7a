/**
 * The figures of bench/learn-with-trl.sh as one JSON object: for each side and seed seconds, rewards and held-out accuracy
 * at each checkpoint; the difference of final accuracies; and how much sooner viva has TRL's.
 * usage: npx tsx bench/learn-table.ts FOLDER SEED…
 */
import { readdirSync, readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { meanOf } from "../src/core/mean.ts";

const [folder, ...seeds] = process.argv.slice(2) as [string, ...string[]];

interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

interface Side {
  readonly step_seconds: readonly number[];
  readonly reward: readonly number[];
  readonly zero_std_fraction: readonly number[];
  readonly versions?: object;
}

const lines = (file: string) =>
  readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

function accuracyOf(file: string): Interval {
  const { estimate, low, high } = lines(file).find(({ kind }) => kind === "summary").subsets.overall.accuracy;
  return { estimate, low, high };
}

function readTrl(seed: string): Side {
  return JSON.parse(readFileSync(join(folder, `trl-${seed}/log.json`), "utf8"));
}

function readViva(seed: string): Side {
  const metrics = lines(join(folder, `viva-${seed}/metrics.jsonl`));
  return {
    step_seconds: metrics.map((line) => line["time/step_s"]),
    reward: metrics.map((line) => line["reward/mean"]),
    zero_std_fraction: metrics.map((line) => line["group/zero_std_fraction"]),
  };
}

function summary(side: "trl" | "viva", seed: string, { step_seconds, reward, zero_std_fraction }: Side) {
  const fifth = Math.max(1, Math.floor(reward.length / 5));
  const seconds = (steps: number) => step_seconds.slice(0, steps).reduce((a, b) => a + b, 0);
  const evaluated = readdirSync(join(folder, `${side}-${seed}`))
    .filter((name) => /^step-\d+\.jsonl$/.test(name))
    .sort();
  return {
    seconds: seconds(step_seconds.length),
    median_step_seconds: [...step_seconds].sort((a, b) => a - b)[Math.floor(step_seconds.length / 2)]!,
    reward_first_fifth: meanOf(reward.slice(0, fifth)),
    reward_last_fifth: meanOf(reward.slice(-fifth)),
    zero_std_fraction: meanOf(zero_std_fraction),
    checkpoints: evaluated.map((name) => {
      const step = Number(name.slice(5, 11));
      return { step, seconds: seconds(step), accuracy: accuracyOf(join(folder, `${side}-${seed}`, name)) };
    }),
  };
}

const runs = seeds.map((seed) => {
  const trl = summary("trl", seed, readTrl(seed));
  const viva = summary("viva", seed, readViva(seed));
  const wanted = trl.checkpoints.at(-1)!.accuracy.estimate;
  const there = viva.checkpoints.find(({ accuracy }) => accuracy.estimate >= wanted) ?? null;
  return {
    seed,
    trl,
    viva,
    time_ratio_whole_run: trl.seconds / viva.seconds,
    // null: viva's accuracy stayed below TRL's final one.
    time_ratio_to_trl_accuracy: there === null ? null : trl.seconds / there.seconds,
  };
});
const finals = (side: "trl" | "viva") => meanOf(runs.map((run) => run[side].checkpoints.at(-1)!.accuracy.estimate));
console.log(
  JSON.stringify(
    {
      before: accuracyOf(join(folder, "before.jsonl")),
      runs,
      final_accuracy: { trl: finals("trl"), viva: finals("viva") },
      versions: { ...readTrl(seeds[0]!).versions, node: process.versions.node },
      machine: { cpu: `${cpus().length} x ${cpus()[0]!.model}`, load_average: loadavg()[0] },
    },
    null,
    1,
  ),
);
