/**
 * What the wire costs: the same GRPO step on the local engine, and through the client on `viva serve --tinker` in a process of
 * its own, by turns, so that other load falls on both. Prints each part of a step on both sides in seconds, and the processor
 * time of all processes of a side, which other load changes least (Linux).
 * usage: npx tsx bench/wire-overhead.ts CHECKPOINT [PAIRS]; PROFILES=FOLDER writes the server's CPU profiles there
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { plainVariant } from "../src/algorithms/algorithm.ts";
import { defaultLossNumbers } from "../src/algorithms/index.ts";
import { randomKey, uniform } from "../src/core/random.ts";
import type { Prompt } from "../src/core/records.ts";
import type { EngineOptions } from "../src/engine/backend.ts";
import type { TrainingEngine, TrainingGroup } from "../src/engine/engine.ts";
import { engines } from "../src/engine/index.ts";
import { openProcessor } from "../src/models/index.ts";

const [checkpoint, pairs = "4"] = process.argv.slice(2);
if (checkpoint === undefined) throw new Error("usage: bench/wire-overhead.ts CHECKPOINT [PAIRS]");
const store = mkdtempSync(join(tmpdir(), "viva-wire-"));
const server = await serve(checkpoint);
const processor = await openProcessor(checkpoint);
const target_modules = ".*language_model.*\\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)";
const options: EngineOptions = {
  modelFolder: checkpoint,
  initialise: "pretrained",
  ...{ seed: 3, freeze: [], threads: 0, microBatchTokens: 4096, rows: 32 },
  lora: { r: 8, lora_alpha: 32, target_modules },
};
const here = await engines.local.open(options, processor);
const on = { url: server.url, model: null, apiKeyEnv: null };
const there = await engines.tinker.open({ ...options, server: on }, processor);

const prompts: Prompt[] = await Promise.all(
  [40, 90, 140, 190].map((grey) => {
    const pixels = { width: 112, height: 112, channels: 3, data: new Uint8Array(3 * 112 * 112).fill(grey) } as const;
    const image = { type: "image", image: { path: `grey ${grey}`, pixels } } as const;
    return processor.encode([{ role: "user", content: [image, { type: "text", text: "What is shown?" }] }]);
  }),
);

interface Step {
  readonly sample: number;
  readonly pass: number;
  readonly update: number;
  readonly cpu: number;
}

/** Processor time of this process and of the server, in seconds; the kernel counts it in hundredths. */
function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  const fields = readFileSync(`/proc/${server.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (user + system) / 1e6 + (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Seconds of sampling, one pass and an update: 4 questions, 8 completions of at most 64 tokens. */
async function step(engine: TrainingEngine, at: number): Promise<Step> {
  const started = performance.now();
  const cpu = processorSeconds();
  const scoring = { temperature: 1, topP: 1, topK: 0 };
  const groups: TrainingGroup[] = [];
  const sampling = { ...scoring, numGenerations: 8, maxCompletionLength: 64, seed: 1, step: at, trainsNext: true };
  for await (const { index, completions } of engine.policy.sample(prompts, sampling)) {
    const key = randomKey(at, index);
    groups.push({
      prompt: prompts[index]!,
      completions: completions.map(({ tokenIds, logProbs }, i) => {
        return { tokenIds, weight: 1 / 2048, advantage: 2 * uniform(key, i) - 1, oldLogProbs: logProbs };
      }),
    });
  }
  const sampled = performance.now();
  const loss = { name: "clip", variant: plainVariant, numbers: defaultLossNumbers } as const;
  await engine.forwardBackward({ groups, scoring, loss });
  const passed = performance.now();
  const adam = { learningRate: 1e-6, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };
  await engine.optimStep(adam);
  const ended = performance.now();
  const seconds = (from: number, to: number) => (to - from) / 1000;
  const parts = { sample: seconds(started, sampled), pass: seconds(sampled, passed), update: seconds(passed, ended) };
  return { ...parts, cpu: processorSeconds() - cpu };
}

const times: (readonly [here: Step, there: Step])[] = [];
for (let i = 0; i <= Number(pairs); i++) times.push([await step(here, i), await step(there, i)]);
const measured = times.slice(1); // the first compiles
const total = ({ sample, pass, update }: Step) => sample + pass + update;
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const parts = (which: 0 | 1) => {
  const of = (part: (step: Step) => number) => Number(median(measured.map((pair) => part(pair[which]))).toFixed(3));
  const whole = {
    step_s: of(total),
    best_s: Number(Math.min(...measured.map((pair) => total(pair[which]))).toFixed(3)),
  };
  const each = { sample_s: of((s) => s.sample), pass_s: of((s) => s.pass), update_s: of((s) => s.update) };
  return { ...whole, ...each, cpu_s: of((s) => s.cpu) };
};
const ratios = measured.map(([a, b]) => Number((total(b) / total(a)).toFixed(3))).sort((a, b) => a - b);
const cpuRatio = Number(median(measured.map(([a, b]) => b.cpu / a.cpu)).toFixed(3));
console.log(JSON.stringify({ here: parts(0), there: parts(1), ratio: median(ratios), ratios, cpu_ratio: cpuRatio }));
await there.close();
await here.close();
await server.close();

/** The command itself, from source. */
async function serve(folder: string) {
  const { PROFILES: profiles } = process.env;
  const main = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
  const profiling = profiles === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", profiles];
  const child = spawn(
    process.execPath,
    [...profiling, "--import", "tsx", main, "serve", folder, "--tinker", "--port", "0", "--store", store, "--json"],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  return {
    pid: child.pid!,
    url: (JSON.parse(line) as { readonly base_url: string }).base_url,
    async close() {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
      rmSync(store, { recursive: true, force: true });
    },
  };
}
