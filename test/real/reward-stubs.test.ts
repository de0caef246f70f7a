/** viva's rewards in other trainers: TRL trains on them, and each stub is called as its own trainer calls it. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import sharp from "sharp";
import { afterAll, beforeAll, expect, it } from "vitest";
import { promptStyle, questionMessages } from "../../src/answers/prompts.ts";
import type { Example } from "../../src/core/records.ts";
import { findDataset } from "../../src/data/index.ts";
import { loadRecipe } from "../../src/recipes/load.ts";
import { needsOf } from "../../src/recipes/stage-kinds.ts";
import { buildRewards, rewardsAt, scoreGroup } from "../../src/rewards/index.ts";
import { openVocabulary } from "../../src/session/reward-services.ts";
import { root, start, vivaOk } from "../cli/command-line.ts";
import { describeWithPython } from "./python.ts";
import { trainers } from "./trainers.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-stubs-"));
const recipe = join(root, "recipes/demo-grpo.yaml");
const run = promisify(execFile);
let server: ReturnType<typeof start>;
let url = "";

beforeAll(async () => {
  server = start(folder, [
    "serve",
    "--rewards",
    recipe,
    "--port",
    "0",
    "--json",
    "--set",
    "stages.0.rewards.facts=0.25",
  ]);
  const line = await new Promise<string>((resolve, reject) => {
    server.child.stdout!.once("data", resolve);
    server.finished.then(({ stderr }) => reject(new Error(stderr)), reject);
  });
  ({ url } = JSON.parse(line) as { url: string });
});
afterAll(async () => {
  server.child.kill("SIGTERM");
  await server.finished;
  rmSync(folder, { recursive: true, force: true });
});

async function stub(tool: string, ...more: readonly string[]): Promise<string> {
  const file = join(folder, `${tool}.py`);
  await vivaOk(folder, "rewards", "stub", tool, "--url", url, "--out", file, ...more);
  return file;
}

/** Questions about generated images as rows of a trainer's data. */
async function writeQuestions(examples: readonly Example[]): Promise<string> {
  mkdirSync(join(folder, "images"), { recursive: true });
  const rows = examples.map(async (example, i) => {
    const image = join(folder, "images", `${i}.png`);
    const { width, height, channels, data } = example.images[0]!.pixels!;
    await sharp(data, { raw: { width, height, channels } }).png().toFile(image);
    const prompt = questionMessages(example, promptStyle("think_answer"))
      .flatMap(({ content }) => content.map((part) => (part.type === "text" ? part.text : "")))
      .join("");
    const { id, question, answer: solution, answerType: answer_type, choices, facts } = example;
    const options = choices.length > 0 ? choices : null;
    return { prompt, image, id, question, solution, answer_type, options, facts: JSON.stringify(facts) };
  });
  const file = join(folder, "rows.jsonl");
  writeFileSync(file, (await Promise.all(rows)).map((row) => `${JSON.stringify(row)}\n`).join(""));
  return file;
}

await describeWithPython("TRL's GRPOTrainer", trainers, ({ python }) => {
  it("takes ten steps on viva's rewards, which are those that viva gives the same completions", {
    timeout: 15 * 60_000,
  }, async () => {
    const loaded = loadRecipe(recipe, ["stages.0.rewards.facts=0.25"]).recipe;
    const dataset = findDataset("phantom_world");
    const examples = await dataset.load({ ...loaded.data.train, limit: 24 } as never);
    const questions = await writeQuestions(examples);
    const out = join(folder, "trl.json");
    const file = await stub("trl", "--column", "answer=solution");
    const script = join(root, "test/real/trl_rewards.py");
    await run(python, [script, file, join(root, "assets/viva-tiny-instruct"), questions, out], {
      env: { ...process.env, HF_HUB_OFFLINE: "1" },
    });
    const found = JSON.parse(readFileSync(out, "utf8"));
    expect(found.steps).toBe(10);
    expect(found.failure).toMatch(/127\.0\.0\.1:9\/score: no answer .*is the server running/);
    expect(found.lacking).toMatch(/has no answer to compare with; the columns are label/);
    const logs = found.logs.filter((line: object) => "rewards/viva_reward/mean" in line);
    expect(logs).toHaveLength(10);
    expect(logs.every((line: object) => "viva/accuracy" in line && "viva/format" in line)).toBe(true);

    const { rewards } = needsOf(loaded.stages[0]!).generation!;
    const context = { style: "think_answer", vocabulary: openVocabulary(null) } as const;
    const weighted = rewardsAt(await buildRewards(rewards, context), 0);
    const byId = new Map(examples.map((example) => [example.id, example]));
    const seen = new Set<number>();
    for (const [id, text, ids, reward] of found.calls.flat()) {
      const tokenIds = Int32Array.from(ids);
      const completion = {
        text,
        tokenIds,
        logProbs: new Float32Array(0),
        finishReason: "stop",
        policyVersion: 0,
      } as const;
      const { reward: own } = await scoreGroup(weighted, byId.get(id)!, [completion]);
      expect(reward).toBeCloseTo(own[0]!, 6);
      seen.add(reward);
    }
    expect(found.calls.flat()).toHaveLength(10 * 4);
    expect(seen.size).toBeGreaterThan(2);
  });
});

async function call(python: string, ...tools: readonly string[]) {
  for (const tool of tools) await stub(tool, ...(tool === "nemo_gym" ? ["--column", "answer=expected_answer"] : []));
  const { stdout } = await run(python, [join(root, "test/real/call_stubs.py"), folder, ...tools]);
  return JSON.parse(stdout.trim().split("\n").at(-1)!);
}

await describeWithPython("the stubs called through the trainers' packages", trainers, ({ python }) => {
  it("give each completion its reward", async () => {
    expect(await call(python, "verl", "easyr1", "swift", "openrlhf", "nemo_gym")).toEqual({
      verl: { through: "verl.workers.reward_manager.batch.BatchRewardManager", rewards: [1.5, 0], accuracy: [1, 0] },
      easyr1: { through: "the signature (EasyR1 is not on PyPI)", rewards: [1.5, 0] },
      swift: { through: "swift.rewards.orms", rewards: [1.5, 0] },
      openrlhf: { through: expect.stringMatching(/SingleTurnAgentExecutor/), rewards: [1.5, 0] },
      nemo_gym: { through: "the documented classes of 0.4.0", rewards: [1.5, 0], accuracy: [1, 0] },
    });
  });
});
