/** A run whose model learnt to call tools: killed and resumed it leaves the same record, and the record replays. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { encodeQuestion, promptStyle } from "../../src/answers/prompts.ts";
import { loadDataset } from "../../src/data/index.ts";
import { openProcessor } from "../../src/models/index.ts";
import { environmentSchema, openEnvironment } from "../../src/tools/index.ts";
import { recordedPolicy } from "../../src/tools/replay.ts";
import { sampleTrajectories } from "../../src/tools/trajectories.ts";
import { type TurnRecord, turnRecords } from "../../src/tools/turn-records.ts";
import type { TokenRecord } from "../../src/train/rollout-records.ts";
import { interrupted, jsonLines, temporaryFolder, vivaOk } from "./command-line.ts";
import { readRecord } from "./record.ts";
import { writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const at = (...path: string[]) => join(folder, ...path);
const model = at("model");
const data = at("films");
const environment = { name: "viewer_tools", tools: ["crop"], max_turns: 3, turn_length: 120, describe: false };
const steps = 4;
const grpo = { prompts_per_step: 2, num_generations: 3, max_completion_length: 300 };
const call = '<tool_call>{"name": "crop", "arguments": {"box": [8, 8, 48, 48]}}</tool_call>';

interface Row {
  readonly example_id: string;
  readonly completions: readonly { readonly turns: readonly TurnRecord[] }[];
}
const rollouts = (run: string) => jsonLines(folder, run, "rollouts.jsonl") as Row[];
const sidecars = (run: string) =>
  readdirSync(at(run, "rollouts")).map((name) => [name, readFileSync(at(run, "rollouts", name), "utf8")]);

beforeAll(async () => {
  writeTinyModel(model);
  await writeFilms(data, (row) => ({ ...row, rationale: `Closer. ${call} It is seen.` }));
  const recipe = (name: string, path: string, stage: object) =>
    writeRecipe(at(`${name}.yaml`), {
      ...{ name, seed: 3, model: { path, init: path === model ? "random" : "pretrained" }, engine: { threads: 1 } },
      data: {
        train: { name: "jsonl", path: data, split: "train" },
        eval: { name: "jsonl", path: data, split: "test" },
      },
      stages: [{ ...stage, environment }],
      evaluate: { at_start: false, max_completion_length: 300 },
      checkpoint: { every: null },
    });
  recipe("learn", model, { kind: "sft", steps: 80, batch_size: 8, target: "rationale_answer", learning_rate: 0.02 });
  await vivaOk(folder, "train", "learn.yaml", "--run", "learnt", "--no-report");
  recipe("tools", at("learnt"), { kind: "grpo", steps, ...grpo, learning_rate: 1e-3, rewards: { tool_use: 1 } });
  await vivaOk(folder, "train", "tools.yaml", "--run", "whole", "--no-report", "--set", "checkpoint.every=1");
}, 300_000);

it("a model that learnt to call crops in training and evaluation", () => {
  const first = rollouts("whole").flatMap(({ completions }) => completions.map(({ turns }) => turns[0]!.observation));
  expect(first).toHaveLength(steps * grpo.prompts_per_step * grpo.num_generations);
  expect(first.filter((seen) => seen?.image != null).length).toBeGreaterThan(2);
  const items = readRecord(at("whole")).evals.filter(({ kind }) => kind === "item");
  expect(items.some(({ turns }) => turns[0].call?.name === "crop")).toBe(true);
});

it("killed in its tool rollouts and resumed, it leaves the same record and weights", async () => {
  const rows = () => (existsSync(at("killed/rollouts.jsonl")) ? rollouts("killed").length : 0);
  const args = ["train", "tools.yaml", "--run", "killed", "--no-report", "--set", "checkpoint.every=1"];
  const ended = await interrupted(folder, args, { signal: "SIGKILL", when: () => rows() >= 3 });
  expect(ended.signal, ended.stderr).toBe("SIGKILL");
  await vivaOk(folder, "train", "--run", "killed", "--resume", "--no-report");
  expect(readRecord(at("killed"))).toEqual(readRecord(at("whole")));
  expect(sidecars("killed")).toEqual(sidecars("whole"));
  const last = `checkpoints/step-00000${steps}/model.safetensors`;
  expect(readFileSync(at("killed", last)).equals(readFileSync(at("whole", last)))).toBe(true);
}, 300_000);

it("replays from its files: the same calls, images and tokens", async () => {
  const processor = await openProcessor(model);
  const prompt = promptStyle("think_answer");
  const examples = await loadDataset({ name: "jsonl", path: data, split: "train", seed: 3 });
  const tokens = new Map(
    sidecars("whole").flatMap(([, text]) =>
      text!
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as TokenRecord)
        .map((one) => [one.id, one] as const),
    ),
  );
  const records = jsonLines(folder, "whole", "rollouts.jsonl").map((row) => ({ row, own: tokens.get(row.id)! }));
  const asked = await Promise.all(
    records.map(async ({ row }) => {
      const example = examples.find(({ id }) => id === row.example_id)!;
      return { example, prompt: await encodeQuestion(processor, example, prompt) };
    }),
  );
  const recorded = records.map(({ row, own }) =>
    own.completions.map(({ token_ids, log_probs, segments }, i) => ({
      ...{ tokenIds: Int32Array.from(token_ids), logProbs: Float32Array.from(log_probs), segments: segments! },
      ...{ turns: row.completions[i].turns, finishReason: row.completions[i].finish_reason, policyVersion: 0 },
    })),
  );
  const sampling = {
    ...{ temperature: 1, topP: 1, topK: 0, seed: 3, step: 0 },
    numGenerations: grpo.num_generations,
  };
  const again = await sampleTrajectories(
    recordedPolicy(recorded),
    asked,
    { ...sampling, maxCompletionLength: grpo.max_completion_length },
    {
      ...{ environment: await openEnvironment(environmentSchema.parse(environment)), turnLength: 120 },
      ...{ prompt, required: [], processor },
    },
  );
  for (const [i, completions] of again.entries()) {
    for (const [c, { tokenIds, segments, turns, images }] of completions.entries()) {
      expect([...tokenIds]).toEqual(records[i]!.own.completions[c]!.token_ids);
      expect(segments).toEqual(records[i]!.own.completions[c]!.segments);
      expect(turnRecords(turns!, images!)).toEqual(records[i]!.row.completions[c].turns);
    }
  }
});
