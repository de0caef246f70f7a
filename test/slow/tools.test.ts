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
import { interrupted, jsonLines, root, temporaryFolder, vivaOk } from "../cli/command-line.ts";
import { readRecord } from "../cli/record.ts";
import { writeRecipe } from "../cli/tiny-run.ts";

const folder = temporaryFolder();
const at = (...path: string[]) => join(folder, ...path);
const model = join(root, "assets/viva-tiny-instruct");
const own = { difficulty: 0, modality: "x-ray" };
const environment = { name: "viewer_tools", tools: ["crop"], max_turns: 2, turn_length: 96, describe: false };
const sftSteps = 60;
const steps = 4;
const grpo = { prompts_per_step: 2, num_generations: 3, max_completion_length: 220 };

interface Row {
  readonly example_id: string;
  readonly completions: readonly { readonly turns: readonly TurnRecord[] }[];
}
const rollouts = (run: string) => jsonLines(folder, run, "rollouts.jsonl") as Row[];
const sidecars = (run: string) =>
  readdirSync(at(run, "rollouts")).map((name) => [name, readFileSync(at(run, "rollouts", name), "utf8")]);

beforeAll(async () => {
  const learn = { kind: "sft", steps: sftSteps, batch_size: 8, target: "rationale_answer", learning_rate: 2e-3 };
  const train = { name: "phantom_looks", limit: 480, ...own };
  writeRecipe(at("tools.yaml"), {
    name: "tools",
    seed: 3,
    model: { path: model },
    engine: { threads: 1 },
    data: { train, eval: { ...train, split: "validation", limit: 6 } },
    stages: [
      { ...learn, environment },
      { kind: "grpo", steps, ...grpo, learning_rate: 1e-4, environment, rewards: { tool_use: 1 } },
    ],
    evaluate: { at_start: false, max_completion_length: 220 },
    checkpoint: { every: 2, keep: 3 },
  });
  await vivaOk(folder, "train", "tools.yaml", "--run", "whole", "--no-report");
}, 600_000);

it("calls its tool and sees what it gives, in training and evaluation", () => {
  const shown = rollouts("whole").flatMap(({ completions }) =>
    completions.filter(({ turns }) => turns[0]?.observation?.image != null),
  );
  expect(shown.length).toBeGreaterThan((steps * grpo.prompts_per_step * grpo.num_generations) / 2);
  const items = readRecord(at("whole")).evals.filter(({ kind }) => kind === "item");
  expect(items.some(({ turns }) => turns[0].call?.name === "crop")).toBe(true);
});

it("killed in its tool rollouts and resumed, it leaves the same record and weights", async () => {
  const rows = () => (existsSync(at("killed/rollouts.jsonl")) ? rollouts("killed").length : 0);
  for (const [args, moment] of [
    [["train", "tools.yaml"], 1],
    [["train", "--resume"], 5],
  ] as const) {
    const when = () => rows() >= moment;
    const ended = await interrupted(folder, [...args, "--run", "killed", "--no-report"], { signal: "SIGKILL", when });
    expect(ended.signal, ended.stderr).toBe("SIGKILL");
  }
  await vivaOk(folder, "train", "--run", "killed", "--resume", "--no-report");
  expect(readRecord(at("killed"))).toEqual(readRecord(at("whole")));
  expect(sidecars("killed")).toEqual(sidecars("whole"));
  const last = `checkpoints/step-${String(sftSteps + steps).padStart(6, "0")}/model.safetensors`;
  expect(readFileSync(at("killed", last)).equals(readFileSync(at("whole", last)))).toBe(true);
});

it("replays from its files: the same calls, images and tokens", async () => {
  const processor = await openProcessor(model);
  const prompt = promptStyle("think_answer");
  const examples = await loadDataset({ name: "phantom_looks", split: "train", limit: 480, seed: 3, own });
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
  const sampling = { ...{ temperature: 1, topP: 1, topK: 0, seed: 3, step: 0 }, numGenerations: grpo.num_generations };
  const again = await sampleTrajectories(
    recordedPolicy(recorded),
    asked,
    { ...sampling, maxCompletionLength: grpo.max_completion_length },
    {
      ...{ environment: await openEnvironment(environmentSchema.parse(environment)), turnLength: 96 },
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
