/** A server that restarts, or whose answers are lost, at every point of a step: the result is that of one that never did. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { plainVariant } from "../../../src/algorithms/algorithm.ts";
import { defaultLossNumbers } from "../../../src/algorithms/index.ts";
import type { RolloutResult } from "../../../src/core/records.ts";
import type { EngineOptions } from "../../../src/engine/backend.ts";
import { type OptimStep, plainScoring, type TrainingEngine } from "../../../src/engine/engine.ts";
import { engines } from "../../../src/engine/index.ts";
import { openProcessor } from "../../../src/models/index.ts";
import { root } from "../../cli/command-line.ts";
import { type FakeServer, startFakeServer, type Ways } from "./fake-server.ts";

const folder = `${root}/assets/viva-tiny-instruct`;
const processor = await openProcessor(folder);
const prompt = { text: "", tokenIds: Int32Array.of(40, 41, 42), images: [] };
const adam: OptimStep = {
  ...{ learningRate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  ...{ weightDecay: 0.01, maxGradNorm: 0 },
};
const opened: FakeServer[] = [];
afterAll(async () => {
  for (const server of opened) await server.close();
});

async function openOn(ways: Ways): Promise<{ readonly server: FakeServer; readonly engine: TrainingEngine }> {
  const server = await startFakeServer(ways);
  opened.push(server);
  const options: EngineOptions = {
    modelFolder: folder,
    initialise: "pretrained",
    ...{ seed: 3, freeze: [], threads: 1, microBatchTokens: 4096, rows: 8 },
    lora: { r: 8, lora_alpha: 32, target_modules: "all-linear" },
    server: { url: server.url, model: null, apiKeyEnv: null },
  };
  return { server, engine: await engines.tinker.open(options, processor) };
}

/** Three steps of sampling, two passes and an update each; all that they gave. */
async function trained(engine: TrainingEngine, beforeSecond: () => void = () => {}) {
  const said: unknown[] = [];
  const loss = { name: "reinforce", variant: plainVariant, numbers: defaultLossNumbers } as const;
  for (let step = 1; step <= 3; step++) {
    if (step === 2) beforeSecond();
    const sampling = { maxCompletionLength: 4, temperature: 1, topP: 1, topK: 0, seed: 1, step, numGenerations: 2 };
    const groups: RolloutResult[] = [];
    for await (const group of engine.policy.sample([prompt, prompt], sampling)) groups[group.index] = group;
    for (const { completions } of groups) {
      for (const [i, { tokenIds, logProbs }] of completions.entries()) {
        said.push([...tokenIds], [...logProbs]);
        const completion = { tokenIds, weight: 0.5, advantage: i === 0 ? 1 : -0.5, oldLogProbs: logProbs };
        const batch = { groups: [{ prompt, completions: [completion] }], scoring: plainScoring, loss };
        said.push((await engine.forwardBackward(batch)).loss);
      }
    }
    said.push((await engine.optimStep(adam)).gradNorm, engine.updates);
  }
  return said;
}

const means: Ways = { dividesByTokens: true, dividesByData: true };
const calm = await openOn(means);
const expected = await trained(calm.engine);
await calm.engine.close();

test.each(
  ["save_weights_for_sampler", "asample", "forward_backward", "optim_step", "save_weights", "retrieve_future"].flatMap(
    (call) => (["before", "after"] as const).map((when) => [when, call] as const),
  ),
)("restarted %s %s", async (when, call) => {
  const { server, engine } = await openOn(means);
  try {
    expect(await trained(engine, () => server.restartAt(call, when))).toEqual(expected);
    // It did happen: another session was begun.
    expect(server.calls.filter((name) => name === "create_session").length).toBe(2);
  } finally {
    await engine.close();
  }
});

test.each(["forward_backward", "optim_step", "save_weights", "retrieve_future"])(
  "an answer to %s is lost on the way: the work is not done twice",
  async (call) => {
    const { server, engine } = await openOn(means);
    try {
      expect(await trained(engine, () => server.breakAfter(call))).toEqual(expected);
      expect(server.calls.filter((name) => name === "create_session").length).toBe(1);
    } finally {
      await engine.close();
    }
  },
);

test("the reference comes back too, and states that nothing refers to are deleted", async () => {
  const { server, engine } = await openOn({});
  try {
    const score = async (of: "policy" | "reference") => {
      const groups = [{ prompt, completions: [{ tokenIds: Int32Array.of(5, 6), weight: 1, advantage: 0 }] }];
      const { logProbs } = await (of === "policy" ? engine.policy : engine.reference!).logProbs(groups, plainScoring);
      return [...logProbs[0]!];
    };
    await trained(engine);
    await engine.freezeReference(true);
    const frozen = await score("reference");
    await trained(engine);
    const moved = await score("policy");
    expect(moved).not.toEqual(frozen);
    server.restart();
    expect(await score("reference")).toEqual(frozen);
    expect(await score("policy")).toEqual(moved);
    // Seven were saved: as it was made, three and three; the reference's and the newest are left.
    expect(server.states()).toHaveLength(3); // with the probe's
  } finally {
    await engine.close();
  }
});

test("what the server cannot bring back ends the run with a sentence", async () => {
  const { server, engine } = await openOn({});
  await trained(engine);
  server.restart();
  server.loseStates();
  await expect(trained(engine)).rejects.toThrow(
    /the server lost the model, and what it saved does not bring it back: .*no checkpoint/,
  );
  await engine.close();
});

test("a refusal of a server that still has the model is thrown as it is", async () => {
  const { server, engine } = await openOn({});
  const checkpoint = mkdtempSync(join(tmpdir(), "viva-fake-"));
  await expect(engine.save(checkpoint, { training: true })).rejects.toThrow(/archive/);
  expect(server.calls.filter((name) => name === "create_session").length).toBe(1);
  await engine.close();
});
