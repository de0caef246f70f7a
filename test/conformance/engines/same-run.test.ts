/**
 * A reinforcement run through the client and viva's own server on loopback: given the same draws, rewards, losses, gradients
 * and evaluations are the local engine's. Its draws are other ones, since a server counts seeds by prompt.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { randomKey, uint32 } from "../../../src/core/random.ts";
import type { TrainingEngine } from "../../../src/engine/engine.ts";
import { checkRecipe } from "../../../src/pipeline/check-recipe.ts";
import { trainRecipe } from "../../../src/pipeline/train-recipe.ts";
import { loadRecipe, resolvedYaml } from "../../../src/recipes/load.ts";
import { environment } from "../../../src/runs/environment.ts";
import { createRun } from "../../../src/runs/run-folder.ts";
import { openCheckpoint } from "../../../src/session/checkpoint.ts";
import { openSession, type Session } from "../../../src/session/session.ts";
import { jsonLines, root } from "../../cli/command-line.ts";
import { serveViva, type VivaServer } from "./viva-server.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-same-run-"));
const server: VivaServer = await serveViva(`${root}/assets/viva-tiny-instruct`);
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Two stages' worth of what differs: old log-probs, a KL term, clips, two updates a rollout. */
const small = [
  ...["data.train.limit=8", "data.eval.limit=6", "evaluate.at_start=false", "checkpoint.every=1"],
  ...["stages.0.steps=3", "stages.0.prompts_per_step=3", "stages.0.num_generations=4", "stages.0.warmup_steps=0"],
  ...["stages.0.max_completion_length=24", "stages.0.learning_rate=0.003", "stages.0.beta=0.05"],
  ...["stages.0.num_iterations=2", "stages.0.max_grad_norm=0.5", "stages.0.kl_estimator=k3"],
];
const adapters = ["model.lora.r=8", "model.lora.lora_alpha=32"];
/** The layers that the server adapts. */
const layers =
  "model.lora.target_modules=.*language_model.*\\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)";
const remote = ["engine.backend=tinker", `engine.url=${server.url}`];

const recipeWith = (set: readonly string[]) =>
  loadRecipe(`${root}/recipes/demo-grpo.yaml`, [...small, ...adapters, ...set]).recipe;

/** The local engine with a prompt's draws as a server makes them. */
function withServersDraws(engine: TrainingEngine): TrainingEngine {
  const { policy } = engine;
  return Object.create(engine, {
    policy: {
      value: {
        ...policy,
        async *sample(...[prompts, o]: Parameters<typeof policy.sample>) {
          const { numGenerations, step } = o;
          const first = uint32(randomKey(o.seed, "tinker", step), 0) % (2 ** 31 - prompts.length * numGenerations);
          for (const [index, prompt] of prompts.entries()) {
            const own = { ...o, seed: first + index * numGenerations, step: 0 };
            for await (const result of policy.sample([prompt], own)) yield { ...result, index };
          }
        },
      },
    },
  });
}

async function run(
  name: string,
  set: readonly string[],
  change: (engine: TrainingEngine) => TrainingEngine = (it) => it,
) {
  const recipe = recipeWith(set);
  const at = join(folder, name);
  const session: Session = await openSession(recipe, at);
  const record = createRun(at, {
    recipeYaml: resolvedYaml(session.recipe, session.notes),
    environment: environment([]),
  });
  try {
    await trainRecipe(session.recipe, { ...session, engine: change(session.engine) }, record, {
      observers: [],
      resume: false,
    });
    return { at, found: session.engine.record };
  } finally {
    record.close();
    await session.close();
  }
}

test("metrics, completions and evaluation are those of the local engine", async () => {
  const here = await run("here", [layers], withServersDraws);
  const there = await run("there", remote);
  expect(there.found).toMatchObject({ divides_by_tokens: false, resets_moments: true, cannot: {} });

  const said = (at: string) =>
    jsonLines(at, "rollouts.jsonl").map(({ completions }) =>
      completions.map(({ text, reward, rewards, advantage }: Record<string, unknown>) => ({
        text,
        reward,
        rewards,
        advantage,
      })),
    );
  expect(said(there.at).length).toBe(9);
  const known = ["time/", "throughput/", "policy/entropy"];
  const [own, others] = [here.at, there.at].map((at) => jsonLines(at, "metrics.jsonl"));
  expect(others!.length).toBe(3);
  for (const [i, row] of own!.entries()) {
    for (const [key, value] of Object.entries(row as Record<string, number | string>)) {
      if (known.some((prefix) => key.startsWith(prefix))) continue;
      const other = others![i][key];
      if (typeof value !== "number") expect(other, key).toBe(value);
      else
        expect(Math.abs(other - value), `step ${i + 1} ${key}: ${value}, ${other}`).toBeLessThan(
          2e-3 * Math.max(1, Math.abs(value)),
        );
    }
  }
  expect(said(there.at)).toEqual(said(here.at));
  const answers = (at: string) =>
    jsonLines(at, "evals.jsonl").map(({ prediction, subsets }) => [prediction, subsets?.overall?.accuracy]);
  expect(answers(there.at)).toEqual(answers(here.at));
});

test("a run's checkpoint is sampled on its server, on another that is named, and from its adapter here", async () => {
  const run = join(folder, "there");
  const answers = async (o: Parameters<typeof openCheckpoint>[1]) => {
    const { engine, processor } = await openCheckpoint(run, o);
    try {
      const content = [{ type: "text", text: "Is the lung clear?" }] as const;
      const prompt = await processor.encode([{ role: "user", content }]);
      const sampling = {
        numGenerations: 1,
        maxCompletionLength: 12,
        temperature: 0,
        topP: 1,
        topK: 0,
        seed: 0,
        step: 0,
      };
      for await (const { completions } of engine.policy.sample([prompt], sampling)) return completions[0]!;
      throw new Error("no completion");
    } finally {
      await engine.close();
    }
  };
  const there = await answers({});
  const named = await answers({ engine: { url: server.url } });
  const here = await answers({ engine: "local" });
  expect([...named.tokenIds]).toEqual([...there.tokenIds]);
  expect([...here.tokenIds]).toEqual([...there.tokenIds]);
  for (const [i, value] of here.logProbs.entries()) expect(value).toBeCloseTo(there.logProbs[i]!, 3);
});

test("viva check tries the server, and names every key that it cannot serve", async () => {
  const o = { sample: 0, checkpoint: null, signal: new AbortController().signal };
  const good = await checkRecipe(recipeWith(remote), o);
  expect(good).toMatchObject({
    can_run: true,
    memory: null,
    engine: { refused: [], record: { url: server.url, base_model: "tiny" } },
  });
  const asked = [
    "stages.0.temperature=0.7",
    "stages.0.top_k=5",
    "stages.0.entropy_coef=0.1",
    "stages.0.shaping=ucas",
    "stages.0.environment=viewer_tools",
    "model.lora.lora_dropout=0.1",
  ];
  const bad = await checkRecipe(recipeWith([...remote, ...asked]), o);
  expect(bad.can_run).toBe(false);
  expect(bad.engine!.refused.map((text) => text.split(": ")[0])).toEqual([
    "model.lora.lora_dropout",
    "stages.0.temperature",
    "stages.0.top_k",
    "stages.0.shaping",
    "stages.0.entropy_coef",
    "stages.0.environment",
  ]);
  await expect(openSession(recipeWith([...remote, ...asked]), join(folder, "never"))).rejects.toThrow(
    /cannot run this: .*lora_dropout.*temperature: 0.7.*top_k: 5.*shaping: ucas.*entropy_coef: 0.1/,
  );
  await expect(openSession(recipeWith([...remote, "engine.model=other"]), join(folder, "never"))).rejects.toThrow(
    'the server has no model "other"; it has tiny',
  );
  expect(() => recipeWith(["engine.backend=tinker"])).toThrow(/engine.url/);
  expect(() => recipeWith([`engine.url=${server.url}`])).toThrow(/set engine.backend to tinker/);
});
