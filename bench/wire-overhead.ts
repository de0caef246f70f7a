/**
 * What the wire costs: the same GRPO step on the local engine, and through the client and viva's own server on loopback, by
 * turns, so that other load falls on both.
 * usage: npx tsx bench/wire-overhead.ts CHECKPOINT [PAIRS]
 */
import { plainVariant } from "../src/algorithms/algorithm.ts";
import { defaultLossNumbers } from "../src/algorithms/index.ts";
import { randomKey, uniform } from "../src/core/random.ts";
import type { Prompt } from "../src/core/records.ts";
import type { EngineOptions } from "../src/engine/backend.ts";
import type { TrainingEngine, TrainingGroup } from "../src/engine/engine.ts";
import { engines } from "../src/engine/index.ts";
import { openProcessor } from "../src/models/index.ts";
import { serveViva } from "../test/conformance/engines/viva-server.ts";

const [checkpoint, pairs = "4"] = process.argv.slice(2);
if (checkpoint === undefined) throw new Error("usage: bench/wire-overhead.ts CHECKPOINT [PAIRS]");
const processor = await openProcessor(checkpoint);
const target_modules = ".*language_model.*\\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)";
const options: EngineOptions = {
  modelFolder: checkpoint,
  initialise: "pretrained",
  ...{ seed: 3, freeze: [], threads: 0, microBatchTokens: 4096, rows: 64 },
  lora: { r: 8, lora_alpha: 32, target_modules },
};
const server = await serveViva(checkpoint);
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

/** Seconds of sampling, one pass and an update: 4 questions, 8 completions of at most 64 tokens. */
async function step(engine: TrainingEngine, at: number): Promise<number> {
  const started = performance.now();
  const scoring = { temperature: 1, topP: 1, topK: 0 };
  const groups: TrainingGroup[] = [];
  const sampling = { ...scoring, numGenerations: 8, maxCompletionLength: 64, seed: 1, step: at };
  for await (const { index, completions } of engine.policy.sample(prompts, sampling)) {
    const key = randomKey(at, index);
    groups.push({
      prompt: prompts[index]!,
      completions: completions.map(({ tokenIds, logProbs }, i) => {
        return { tokenIds, weight: 1 / 2048, advantage: 2 * uniform(key, i) - 1, oldLogProbs: logProbs };
      }),
    });
  }
  const loss = { name: "clip", variant: plainVariant, numbers: defaultLossNumbers } as const;
  await engine.forwardBackward({ groups, scoring, loss });
  await engine.optimStep({
    learningRate: 1e-6,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
    maxGradNorm: 1,
  });
  return (performance.now() - started) / 1000;
}

const times: [here: number, there: number][] = [];
for (let i = 0; i <= Number(pairs); i++) times.push([await step(here, i), await step(there, i)]);
const measured = times.slice(1); // the first compiles
const ratios = measured.map(([a, b]) => b / a).sort((a, b) => a - b);
const best = (which: 0 | 1) => Math.min(...measured.map((pair) => pair[which]));
console.log(JSON.stringify({ here_s: best(0), there_s: best(1), ratios }));
await there.close();
await here.close();
await server.close();
