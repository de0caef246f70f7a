/**
 * The `rl_loop` of tinker-cookbook, unchanged, against `viva serve --tinker`: prints the reward by fifths of each run. Ours
 * are the rows that it finds under the name of its data set and the model that it finds under a name that it knows.
 *
 * The rows ask for the code of an organ; each organ has one, and seven of ten rows ask for the lung's. viva-tiny-instruct
 * never writes `\boxed{}`, which the recipe's reward asks for, so `viva train` first teaches its weights this form alone: the
 * same questions, each organ as often as the others, with digits drawn at random. What is right only the reward of rl_loop
 * tells. The control is the same loop at a learning rate of 0.
 *
 * First it prints how far an adapter can get: digits that were drawn at random have nearly the same embedding, which adapters
 * leave as it is.
 *
 * usage: npx tsx bench/learn-on-cookbook.ts PYTHON FOLDER [--steps 120] [--seeds 1,2,3] [--rate 0.0005], PYTHON an interpreter
 * with the packages that docs/tinker.md names; needs dist (npm run build). A model in the folder is not taught again.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { meanOf } from "../src/core/mean.ts";
import { integer, permutation, randomKey } from "../src/core/random.ts";

const { values: o, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    steps: { type: "string", default: "120" },
    seeds: { type: "string", default: "1,2,3" },
    rate: { type: "string", default: "0.0005" },
  },
});
const [python, at] = positionals;
if (python === undefined || at === undefined) throw new Error("usage: bench/learn-on-cookbook.ts PYTHON FOLDER");
const folder = resolve(at);
const root = resolve(import.meta.dirname, "..");
const viva = [join(root, "dist/cli/main.js")];
const steps = Number(o.steps);
const BATCH = 8;
/** A name that the cookbook knows; its renderer writes turns as viva-tiny-instruct's template does. */
const NAME = "Qwen/Qwen3-8B";
const SUFFIX = " Provide a numerical answer without units, written inside \\boxed{}.";
const CODES = { lung: 7, heart: 2, liver: 5, brain: 8 } as const;
const SHARES = { lung: 7, heart: 1, liver: 1, brain: 1 } as const;
type Organ = keyof typeof CODES;
const organs = Object.keys(CODES) as Organ[];
const RANK = 16;
const questionOf = (organ: Organ) => `Which code has the ${organ}?`;

/** Supervised steps of viva on a model; returns the run's folder. A run that is there is not repeated. */
function teach(name: string, model: object, lessons: readonly (readonly [Organ, number])[], stage: object): string {
  const run = join(folder, name);
  if (existsSync(run)) return run;
  const examples = lessons.map(([organ, code], i) => ({
    ...{ id: `${i}`, subjectId: `${i}`, question: questionOf(organ) + SUFFIX, images: [] },
    ...{ answer: `\\boxed{${code}}`, answerType: "open", choices: [], meta: {} },
  }));
  writeFileSync(`${run}.mjs`, `export default () => ${JSON.stringify(examples)};\n`);
  const recipe = {
    ...{ name, model, engine: { threads: 1 }, prompt: "plain" },
    data: { train: { name: "module", path: `${run}.mjs` } },
    stages: [{ kind: "sft", target: "answer", learning_rate: 1e-3, ...stage }],
    ...{ evaluate: null, checkpoint: { every: null } },
  };
  writeFileSync(`${run}.yaml`, stringify(recipe));
  execFileSync("node", [...viva, "train", `${run}.yaml`, "--run", run, "--quiet"], { stdio: "inherit" });
  return run;
}

/** The folder of a model that knows the form. */
function teachForm(): string {
  const model = join(folder, NAME);
  const digits = randomKey(1, "digits");
  const lessons = Array.from({ length: 2400 }, (_, i) => {
    return [organs[i % organs.length]!, integer(digits, i, 10)] as const;
  });
  const base = { path: join(root, "assets/viva-tiny-instruct") };
  const run = teach("form", base, lessons, { steps: 150, batch_size: 16 });
  cpSync(join(run, "checkpoints/step-000150"), model, { recursive: true });
  return model;
}

/** How probable an adapter of the loop's size makes the lung's answer that learns nothing else, shown it 120 times. */
function ceiling(model: string): number {
  const lora = { path: model, lora: { r: RANK, lora_alpha: 32 } };
  const run = teach("ceiling", lora, Array<readonly [Organ, number]>(120).fill(["lung", CODES.lung]), {
    ...{ steps: 120, batch_size: 1, lr_scheduler_type: "constant" },
  });
  const last = JSON.parse(readFileSync(join(run, "metrics.jsonl"), "utf8").trim().split("\n").at(-1)!);
  return Math.exp(-last.loss * last["completion/length_mean"]);
}

/** Rows as GSM8K has them, where the cookbook looks for it: a folder of that name. */
function writeRows(seed: number, into: string): void {
  const data = join(into, "openai/gsm8k");
  mkdirSync(data, { recursive: true });
  const asked = organs.flatMap((organ) => Array<typeof organ>(SHARES[organ]).fill(organ));
  const rows = [...permutation(randomKey(seed, "rows"), steps * BATCH)].map((i) => {
    const organ = asked[i % asked.length]!;
    return { question: questionOf(organ), answer: `The ${organ} has ${CODES[organ]}.\n#### ${CODES[organ]}` };
  });
  writeFileSync(join(data, "train.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const files = { config_name: "main", data_files: [{ split: "train", path: "train.jsonl" }] };
  writeFileSync(join(data, "README.md"), `---\n${stringify({ configs: [files] })}---\n`);
}

async function serve(model: string): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const asked = [model, "--tinker", "--model-name", NAME, "--port", "0", "--threads", "1", "--json"];
  const child = spawn("node", [...viva, "serve", ...asked, "--store", join(folder, "store")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const line = await new Promise<string>((found) => createInterface({ input: child.stdout }).once("line", found));
  return { url: JSON.parse(line).base_url, child };
}

/** Runs the recipe in a folder with its rows and the tokenizer of the model; returns the mean reward of each step. */
async function rlLoop(url: string, model: string, seed: number, rate: number): Promise<readonly number[]> {
  const here = join(folder, `seed-${seed}-rate-${rate}`);
  rmSync(here, { recursive: true, force: true }); // where its last checkpoint lies, the recipe goes on from it
  writeRows(seed, here);
  cpSync(model, join(here, NAME), { recursive: true });
  const settings = {
    ...{ base_url: url, model_name: NAME, batch_size: BATCH, group_size: 8, max_tokens: 12, max_steps: steps },
    ...{ lora_rank: RANK, learning_rate: rate, log_path: join(here, "log"), ttl_seconds: "None" },
  };
  const asked = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  const offline = { HF_HUB_OFFLINE: "1", HF_DATASETS_OFFLINE: "1", HF_DATASETS_CACHE: join(here, "cache") };
  const output = openSync(join(here, "output.txt"), "w");
  const child = spawn(python!, ["-m", "tinker_cookbook.recipes.rl_loop", ...asked], {
    cwd: here,
    env: { ...process.env, ...offline, TINKER_API_KEY: "tml-none", TINKER_TELEMETRY: "0", OMP_NUM_THREADS: "1" },
    stdio: ["ignore", output, output],
  });
  const code = await new Promise((ended) => child.once("exit", ended));
  if (code !== 0) throw new Error(`rl_loop ended with ${code}: see ${join(here, "output.txt")}`);
  const rows = readFileSync(join(here, "log/metrics.jsonl"), "utf8").trim().split("\n");
  return rows.flatMap((row) => JSON.parse(row)["reward/total"] ?? []);
}

mkdirSync(folder, { recursive: true });
const model = teachForm();
console.log(`supervised on the lung's answer alone: probability ${ceiling(model).toFixed(3)}`);
const server = await serve(model);
try {
  for (const rate of [Number(o.rate), 0]) {
    for (const seed of o.seeds.split(",").map(Number)) {
      const began = Date.now();
      const rewards = await rlLoop(server.url, model, seed, rate);
      const fifth = Math.floor(rewards.length / 5);
      const fifths = [0, 1, 2, 3, 4].map((i) => meanOf(rewards.slice(i * fifth, (i + 1) * fifth)).toFixed(3));
      const seconds = ((Date.now() - began) / 1000).toFixed(0);
      console.log(
        `rate ${rate}, seed ${seed}: ${rewards.length} steps in ${seconds} s, reward by fifths ${fifths.join(" ")}`,
      );
    }
  }
} finally {
  server.child.kill("SIGTERM");
}
