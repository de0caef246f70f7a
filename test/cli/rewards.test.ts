import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { filesBelow, jsonLines, root, start, temporaryFolder, viva, vivaApart, vivaOk } from "./command-line.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const model = join(folder, "model");
const data = join(folder, "films");
let judge: Server;
let baseUrl = "";

beforeAll(async () => {
  writeTinyModel(model);
  await writeFilms(data, (row, i) => ({ ...row, rationale: i % 2 === 0 ? "An opacity on the left." : "No effusion." }));
  mkdirSync(join(folder, "recipes"), { recursive: true });
  cpSync(join(root, "test/golden/sentence_encoder/mean"), join(folder, "recipes/encoder"), { recursive: true });
  writeFileSync(
    join(folder, "recipes/short.mjs"),
    "export default ({ limit }) => ({ range: [0, 1], score: (e, all) => all.map(({ text }) => Number(text.length < limit)) });",
  );
  judge = createServer((request, response) => {
    const hash = createHash("md5");
    request.on("data", (chunk: Buffer) => hash.update(chunk));
    request.on("end", () => {
      const content = hash.digest()[0]! % 3 === 0 ? "VERDICT: YES" : "VERDICT: NO"; // the same for the same question
      response.end(JSON.stringify({ choices: [{ message: { content } }] }));
    });
  });
  await new Promise<void>((ready) => judge.listen(0, "127.0.0.1", ready));
  baseUrl = `http://127.0.0.1:${(judge.address() as AddressInfo).port}/v1`;
});
afterAll(() => {
  judge.closeAllConnections();
  judge.close();
});

/** A recipe of rollouts with these rewards, beside which modules and encoder lie. */
function recipeOf(name: string, rewards: object, steps = 3): string {
  const plain = tinyRecipe({ model, data });
  const { rewards: _, ...grpo } = plain.stages[1] as unknown as { readonly rewards: object };
  const stages = [{ ...grpo, steps, num_iterations: 1, filter_groups: null, rewards }];
  writeRecipe(join(folder, "recipes", `${name}.yaml`), { ...plain, stages, evaluate: null, checkpoint: { every: 2 } });
  return `recipes/${name}.yaml`;
}

const every = () => ({
  accuracy: { weight: 1, open: "f1" },
  format: { weight: 0.1, style: "tags" },
  ecr: { weight: { from: 1, to: 0, steps: 2 } },
  cwr: 0.1,
  cosine: 0.1,
  kimi: 0.1,
  soft_overlong: 0.1,
  repetition: 0.1,
  crpo: 0.1,
  checklist: { weight: 0.1, rules: [{ id: "said", kind: "goal", check: "pattern", pattern: "\\w" }] },
  english: 0,
  answer_prose: 0,
  concepts: { weight: 0.1, reward: "semantic", scorer: "concepts" },
  meaning: { weight: 0.1, reward: "semantic", scorer: "embedding", encoder: "encoder" },
  judged: { weight: 0.1, reward: "semantic", scorer: "judge", base_url: baseUrl, model: "m", send_image: true },
  short: { weight: 0.1, module: "./short.mjs", limit: 3 },
});

describe("a run with every reward", () => {
  it("records each, keeps the judge's replies, and resumes to the same record", async () => {
    await vivaOk(folder, "train", recipeOf("every", every()), "--run", "every", "--quiet", "--no-report");
    const names = Object.keys(every());
    const metrics = jsonLines(folder, "every/metrics.jsonl");
    expect(metrics.map((line) => line["reward/ecr/weight"])).toEqual([1, 0.5, 0]);
    for (const name of names) expect(metrics[0][`reward/${name}/mean`], name).toEqual(expect.any(Number));
    const groups = jsonLines(folder, "every/rollouts.jsonl");
    const nulls = new Set<string>();
    for (const { completions } of groups) {
      for (const { rewards } of completions) {
        expect(Object.keys(rewards)).toEqual(names);
        for (const [name, value] of Object.entries(rewards)) if (value === null) nulls.add(name);
      }
    }
    expect([...nulls]).toEqual(["concepts"]); // where the reference asserts nothing
    expect(filesBelow(join(folder, "every/replies")).length).toBeGreaterThan(0);

    cpSync(join(folder, "every"), join(folder, "again"), { recursive: true });
    judge.closeAllConnections();
    await new Promise((closed) => judge.close(closed)); // what was judged once is known
    await vivaOk(folder, "train", "--run", "again", "--resume", "--quiet", "--no-report");
    expect(jsonLines(folder, "again/rollouts.jsonl")).toEqual(groups);
    await new Promise<void>((ready) => judge.listen(Number(new URL(baseUrl).port), "127.0.0.1", ready));
  });
});

describe("viva serve --rewards", () => {
  /** The run's completions as another trainer would send them. */
  // biome-ignore lint/suspicious/noExplicitAny: lines of the record
  function recordedRows(groups: readonly any[], run: string): readonly object[] {
    return groups.flatMap(({ id, step, example_id, question, answer, answer_type, completions }) => {
      const sidecar = jsonLines(folder, `${run}/rollouts/step-${String(step).padStart(6, "0")}.jsonl`);
      const tokens = sidecar.find((line) => line.id === id).completions;
      const film = Number(example_id.split("-")[1]);
      const rationale = film % 2 === 0 ? "An opacity on the left." : "No effusion.";
      const images = [`data:image/jpeg;base64,${readFileSync(join(data, `images/${film}.jpg`)).toString("base64")}`];
      const row = { group: id, question, answer, answer_type, rationale, images };
      return completions.map(({ text, finish_reason }: { text: string; finish_reason: string }, i: number) => {
        return { ...row, completion: text, finish_reason, completion_ids: tokens[i].token_ids };
      });
    });
  }

  it("gives the completions of a run what the run gave them, by every reward", async () => {
    const recipe = recipeOf("served", every());
    await vivaOk(folder, "train", recipe, "--run", "served", "--quiet", "--no-report");
    const args = ["serve", "--rewards", recipe, "--port", "0", "--json", "--set", "stages.0.rewards.ecr.weight=1"];
    const { child, finished } = start(folder, args);
    const line = await new Promise<string>((resolve, reject) => {
      child.stdout!.once("data", resolve);
      finished.then(({ stderr }) => reject(new Error(stderr)), reject);
    });
    const { url } = JSON.parse(line) as { url: string };
    const groups = jsonLines(folder, "served/rollouts.jsonl");
    const rows = recordedRows(groups, "served");
    const headers = { "content-type": "application/json" };
    const reply = await fetch(`${url}/score`, { method: "POST", headers, body: JSON.stringify({ rows }) });
    const scored = (await reply.json()) as { rows: { components: object; evidence: object[] }[] };
    expect(scored.rows.map(({ components }) => components)).toEqual(
      groups.flatMap(({ completions }) => completions.map(({ rewards }: { rewards: object }) => rewards)),
    );
    expect(scored.rows.map(({ evidence }) => evidence)).toEqual(
      groups.flatMap(({ completions }) => completions.map(({ evidence }: { evidence: object }) => evidence)),
    );
    child.kill("SIGTERM");
    expect((await finished).code).toBe(143);
  });

  it("refuses what it cannot serve", async () => {
    const refused = async (...args: readonly string[]) => {
      const { code, stderr } = await viva(folder, ...args);
      return [code, stderr];
    };
    const recipe = recipeOf("one", { accuracy: 1 });
    expect(await refused("serve")).toEqual([
      2,
      expect.stringMatching(/name a checkpoint .* or a recipe with --rewards/),
    ]);
    expect(await refused("serve", "model", "--rewards", recipe)).toEqual([2, expect.stringMatching(/not both/)]);
    const stage = await refused("serve", "--rewards", recipe, "--stage", "1");
    expect(stage).toEqual([2, expect.stringMatching(/--stage 1: that stage has no rewards; stages with rewards: 0/)]);
    const open = await refused("serve", "--rewards", recipe, "--host", "0.0.0.0");
    expect(open).toEqual([2, expect.stringMatching(/an API key is needed/)]);
  });
});

describe("viva rewards stub", () => {
  it.each(["trl", "verl", "easyr1", "swift", "openrlhf", "nemo_gym"])("prints a Python file for %s", async (tool) => {
    const options = ["--url", "http://gpu-1:9000", "--column", "answer=solution"];
    const { stdout } = await vivaOk(folder, "rewards", "stub", tool, ...options);
    expect(stdout).toContain('"http://gpu-1:9000"');
    expect(stdout).toContain('COLUMNS = {"answer":"solution"}');
    expect(stdout).not.toMatch(/@[A-Z]+@/);
  });

  it("refuses a tool, a column and an address that are none", async () => {
    const said = async (...args: readonly string[]) => (await viva(folder, "rewards", "stub", ...args)).stderr;
    expect(await said("other")).toMatch(/Allowed choices are trl, verl/);
    expect(await said("trl", "--column", "answers=x")).toMatch(/reads no column "answers" \(did you mean "answer"\?\)/);
    expect(await said("trl", "--url", "gpu-1")).toMatch(/expected an address/);
  });
});

describe("a judge that cannot be reached", () => {
  const lost = (on_failure: string) => ({
    accuracy: 1,
    judged: {
      ...{ weight: 1, reward: "semantic", scorer: "judge", model: "m", max_retries: 0, on_failure },
      base_url: "http://127.0.0.1:9/v1",
    },
  });

  it("stops the run, which says why", async () => {
    const ended = await viva(folder, "train", recipeOf("stop", lost("stop")), "--run", "stop", "--quiet");
    expect([ended.code, ended.stderr]).toEqual([
      1,
      expect.stringMatching(/model m at http:\/\/127.0.0.1:9\/v1: cannot be reached/),
    ]);
    expect(jsonLines(folder, "stop/events.jsonl").at(-1)).toMatchObject({ event: "error", step: 1 });
  });

  it("is passed over where the recipe says so, with events, a metric and a warning", async () => {
    const ended = await vivaOk(
      folder,
      "train",
      recipeOf("skip", lost("skip"), 2),
      "--run",
      "skip",
      "--quiet",
      "--no-report",
    );
    expect(ended.stderr).toMatch(/reward_failed .*cannot be reached/);
    const failed = jsonLines(folder, "skip/events.jsonl").filter(({ event }) => event === "reward_failed");
    const completions = 2 * 4;
    const metrics = jsonLines(folder, "skip/metrics.jsonl");
    expect(failed.map(({ step, reward }) => [step, reward])).toEqual([
      [1, "judged"],
      [2, "judged"],
    ]);
    for (const [i, { times, message }] of failed.entries()) {
      expect(times).toBe(metrics[i]["reward/judged/failed"]);
      expect(times).toBeLessThanOrEqual(completions);
      expect(message).toMatch(/cannot be reached/);
    }
    expect(existsSync(join(folder, "skip/replies"))).toBe(false);
  });
});

describe("a module that does not load", () => {
  it.each<[string, string, string, RegExp]>([
    [
      "JavaScript",
      "bad.mjs",
      "export default {\n  score: (e, all) => {\n    return all.map(( => 1);\n  },\n};\n",
      /line 3\)/,
    ],
    [
      "TypeScript",
      "bad.ts",
      "export default {\n  score: (e: object, all: []) => {\n    return all.map(( => 1);\n",
      /line 3\)/,
    ],
    ["what it imports", "outer.mjs", 'import "./bad.mjs";\nexport default {};\n', /\(\S+bad\.mjs, line 3\)/],
    [
      "a name that is not exported",
      "names.mjs",
      '\nimport { nothing } from "./short.mjs";\nexport default nothing;\n',
      /'nothing' \(line 2\)/,
    ],
    ["what it throws", "throws.mjs", "const a = 1;\n\nthrow new Error(String(a));\n", /: 1 \(line 3\)/],
    [
      "its own function",
      "makes.mjs",
      "export default () => {\n  throw new Error('no limit');\n};\n",
      /no limit \(line 2\)/,
    ],
  ])("has its line told: %s", async (_, name, source, message) => {
    writeFileSync(join(folder, "recipes/bad.mjs"), "export const a = 1;\n\nconst b = ;\n");
    writeFileSync(join(folder, "recipes", name), source);
    const recipe = recipeOf("module", { mine: { module: `./${name}` } });
    const ended = await vivaApart(folder, "train", recipe, "--run", "module");
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr).toMatch(/^error: reward "mine": module \S+: [^\n]*\n$/);
    expect(ended.code).toBe(2);
  });
});

describe("a judge whose replies cannot be read", () => {
  it("fires an alarm at the first step, and its mean is absent, not 0", async () => {
    const rambling = createServer((request, response) => {
      request
        .resume()
        .on("end", () => response.end(JSON.stringify({ choices: [{ message: { content: "Well, it depends." } }] })));
    });
    await new Promise<void>((ready) => rambling.listen(0, "127.0.0.1", ready));
    const base_url = `http://127.0.0.1:${(rambling.address() as AddressInfo).port}/v1`;
    const judged = { weight: 1, reward: "semantic", scorer: "judge", model: "m", base_url };
    const recipe = recipeOf("rambling", { judged }, 2);
    const ended = await vivaOk(folder, "train", recipe, "--run", "rambling", "--quiet", "--no-report");
    rambling.close();
    expect(ended.stderr).toMatch(
      /step 1: alarm reward_unread \(judged\): judged has no verdict for 100 % of the \d it asked for/,
    );
    const alarms = jsonLines(folder, "rambling/events.jsonl").filter(({ rule }) => rule === "reward_unread");
    expect(alarms).toEqual([expect.objectContaining({ event: "alarm", step: 1, subject: "judged", value: 1 })]);
    const [first] = jsonLines(folder, "rambling/metrics.jsonl");
    expect(first["reward/judged/unparsable"]).toBe(first["reward/judged/asked"]);
    const given = jsonLines(folder, "rambling/rollouts.jsonl").flatMap(({ step, completions }) =>
      step === 1 ? completions : [],
    );
    const known = given.filter(({ rewards }) => rewards.judged !== null);
    expect("reward/judged/mean" in first).toBe(known.length > 0); // 0 where a completion has no reasoning to judge
  });
});

describe("mistakes in rewards are told before a run exists", () => {
  it.each([
    ["a scorer that is none", { semantic: { weight: 1, scorer: "concept" } }, /scorer must be one of judge, embedding/],
    ["a module that is nowhere", { mine: { weight: 1, module: "./none.mjs" } }, /rewards.mine.module: nothing at/],
    ["a weight without an end", { accuracy: { weight: { from: 1, steps: 3 } } }, /weight.to is missing/],
    [
      "a key that is not set",
      { semantic: { scorer: "judge", base_url: "http://x", model: "m", api_key_env: "NO_SUCH" } },
      /NO_SUCH/,
    ],
    ["an encoder that is none", { semantic: { scorer: "embedding", encoder: "." } }, /no model.onnx in it/],
  ])("%s", async (_, rewards, message) => {
    const ended = await viva(folder, "train", recipeOf("wrong", rewards), "--run", "wrong");
    expect([ended.code, ended.stderr]).toEqual([2, expect.stringMatching(message)]);
    expect(readdirSync(folder)).not.toContain("wrong");
  });
});
