/** A recipe's rewards over HTTP, in every way that a trainer can ask for them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parseRecipe } from "../../src/recipes/load.ts";
import { RequestPool } from "../../src/server/request-pool.ts";
import { createRewardApp, type RewardAppOptions } from "../../src/server/rewards/app.ts";
import { listenWith, type RunningServer } from "../../src/server/server.ts";
import { openServedRewards } from "../../src/session/served-rewards.ts";
import { tinyRecipe, writeTinyModel } from "../cli/tiny-run.ts";
import { film } from "./served.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-rewards-test-"));
const model = writeTinyModel(join(folder, "model"));
const servers: RunningServer[] = [];
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close(0)));
  rmSync(folder, { recursive: true, force: true });
});

interface Asking {
  readonly limits?: Partial<RewardAppOptions["limits"]>;
  readonly seconds?: number;
  readonly apiKey?: string;
}

/** Serves rewards; gives a function that posts, and what failed. */
async function serve(rewards: object, { limits, seconds = 30, apiKey }: Asking = {}) {
  const tiny = tinyRecipe({ model, data: folder });
  const stages = [tiny.stages[0], { ...tiny.stages[1], rewards }];
  const recipe = parseRecipe({ ...tiny, prompt: "think_answer", stages });
  const opened = await openServedRewards(recipe, folder, { stage: null });
  const failures: unknown[] = [];
  const pool = new RequestPool({ maxQueue: 8, requestTimeoutSeconds: seconds });
  const key = apiKey ?? null;
  const most = { maxBodyBytes: 200_000, maxPending: 8, maxRows: 50, maxImagePixels: 10_000, ...limits };
  const onFailure = (error: unknown) => void failures.push(error);
  const app = createRewardApp({ rewards: opened, limits: most, pool, apiKey: key, onFailure });
  const server = await listenWith(app, pool, { host: "127.0.0.1", port: 0, apiKey: key });
  servers.push(server);
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const reply = await fetch(server.origin + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
    // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many kinds
    return { status: reply.status, headers: reply.headers, body: (await reply.json()) as any };
  };
  return { post, server, failures };
}

/** With the accuracy alone; opened once. */
function servePlain() {
  plain ??= serve({ accuracy: 1 });
  return plain;
}
let plain: ReturnType<typeof serve> | undefined;

function module(name: string, source: string): { readonly module: string } {
  const file = join(folder, name);
  writeFileSync(file, source);
  return { module: file };
}

const said = (answer: string) => `<think>The left side is dense.</think><answer>${answer}</answer>`;

describe("/score", () => {
  it("gives each completion its reward, its parts and where they were seen", async () => {
    const { post, server } = await serve({ accuracy: { weight: 1, open: "f1" }, format: 0.5 });
    const row = { question: "Which lung?", options: ["left lung", "right lung"], answer: "A" };
    const rows = [
      { ...row, completion: said("left lung") },
      { ...row, completion: said("B") },
      { completion: "yes", answer: true },
      { completion: said("right upper lobe"), answer: "right lobe", answer_type: "open" },
      { completion: `${said("no")}<|im_end|>`, reference: '{"answer": "No", "question": "Is it clear?"}' },
    ];
    const { status, body } = await post("/score", { rows });
    expect(status).toBe(200);
    expect(body.rows.map(({ reward, components }: never) => [reward, components])).toEqual([
      [1.5, { accuracy: 1, format: 1 }],
      [0.5, { accuracy: 0, format: 1 }],
      [0, { accuracy: 0, format: 0 }],
      [expect.closeTo(1.3), { accuracy: expect.closeTo(0.8), format: 1 }],
      [1.5, { accuracy: 1, format: 1 }],
    ]);
    const [{ start, end, verdict }] = body.rows[0].evidence;
    expect([rows[0]!.completion.slice(start, end), verdict]).toEqual(["left lung", true]);
    const about = await (await fetch(`${server.origin}/rewards`)).json();
    expect(about).toMatchObject({
      recipe: "tiny",
      style: "think_answer",
      rewards: [{ name: "accuracy", weight: 1 }, {}],
    });
  });

  it("counts tokens as the recipe's model does, unless they are sent", async () => {
    const { post } = await serve({ ecr: { weight: 1, alpha: 1, cap: 1000 } });
    const score = async (row: object) =>
      (await post("/score", { rows: [{ answer: "yes", ...row }] })).body.rows[0].reward;
    const stopped = await score({ completion: "yes" });
    expect(await score({ completion: "yes", finish_reason: "length" })).toBe(stopped - 1); // no end of turn
    expect(await score({ completion: "yes<|im_end|>" })).toBe(stopped);
    expect(await score({ completion: "yes", completion_ids: [4, 5, 6, 7, 8] })).toBe(5);
  });

  it("reads facts as a mapping or as JSON, with the nulls of a table", async () => {
    const { post } = await serve({ facts: 1 });
    const facts = {
      modality: "x-ray",
      organ: "chest",
      plane: null,
      findings: [{ finding: "nodule", side: "left", place: null }],
    };
    const text = (claim: string) => `<think>${claim}</think><answer>yes</answer>`;
    const row = (claim: string, given: unknown) => ({ completion: text(claim), answer: "yes", facts: given });
    const rows = [
      row("There is a nodule on the left.", facts),
      row("There is a nodule on the right.", JSON.stringify(facts)),
      row("There is a nodule on the left.", undefined),
    ];
    const { body } = await post("/score", { rows });
    expect(body.rows[0].reward).toBe(1);
    expect(body.rows[1].reward).toBe(0); // a nodule it is, on the other side
    expect(body.rows[2].reward).toBe(null); // it does not apply
  });

  it.each<[string, object, RegExp]>([
    ["no answer", { completion: "yes" }, /rows\[1\]: needs "answer"/],
    [
      "a column under another name",
      { completion: "yes", solution: "yes" },
      /"solution" is not read: did you mean "answer"/,
    ],
    [
      "an answer that is no option",
      { completion: "A", answer: "C", options: ["x", "y"] },
      /must be one of the options/,
    ],
    ["options twice", { completion: "A", answer: "x", options: ["x", "y"], choices: ["x", "y"] }, /keep one/],
    [
      "an answer twice",
      { completion: "A", answer: "x", reference: "y" },
      /"answer" stands in the reference and beside it/,
    ],
    ["facts that are none", { completion: "A", answer: "x", facts: "none" }, /"facts" must be a mapping/],
    ["a completion that is none", { completion: 3, answer: "x" }, /field "completion"/],
    ["a path for an image", { completion: "A", answer: "x", images: ["/etc/passwd"] }, /viva fetches nothing/],
  ])("says what is wrong with a row: %s", async (_, row, message) => {
    const { post } = await servePlain();
    const { status, body } = await post("/score", { rows: [{ completion: "yes", answer: "yes" }, row] });
    expect([status, body.error.message]).toEqual([400, expect.stringMatching(message)]);
  });

  it("scores groups together, and refuses a completion alone to a reward that compares", async () => {
    const { post } = await serve({ kimi: 1 });
    const row = (id: string, tokens: number) => {
      return { id, completion: said("yes"), answer: "yes", completion_ids: Array.from({ length: tokens }, () => 5) };
    };
    const both = await post("/score", { rows: [row("a", 2), row("b", 9), row("a", 4), row("b", 7)] });
    expect(both.body.rows.map(({ reward }: { reward: number }) => reward)).toEqual([0.5, -0.5, -0.5, 0.5]);
    const alone = await post("/score", { rows: [row("a", 2), row("a", 3), row("b", 4)] });
    expect([alone.status, alone.body.error.message]).toEqual([
      400,
      expect.stringMatching(/rows\[2\]: reward "kimi" compares/),
    ]);
    const { id: _, ...unnamed } = row("a", 3);
    expect((await post("/score", { rows: [unnamed, unnamed] })).status).toBe(400);
    const mixed = await post("/score", { rows: [row("a", 2), { ...row("a", 3), answer: "no" }] });
    expect(mixed.body.error.message).toMatch(
      /rows\[1\]: has the id or group of rows\[0\], and another question or answer/,
    );
  });

  it("wants the step where a weight moves with it", async () => {
    const { post } = await serve({ accuracy: { weight: { from: 1, to: 0, steps: 10 } } });
    const rows = [{ completion: said("yes"), answer: "yes" }];
    expect((await post("/score", { rows })).body.error.message).toMatch(/step is needed/);
    expect((await post("/score", { rows, step: 5 })).body.rows[0].reward).toBe(0.5);
    expect((await post("/score", { rows, step: -1 })).status).toBe(400);
  });
});

describe("OpenRLHF's /get_reward", () => {
  it("takes the completion from the query, and gives lists", async () => {
    const { post } = await serve({ accuracy: 1, format: 0.5 });
    const prompts = ["Is it clear?\n", "Which lung?\n"];
    const query = [`${prompts[0]}${said("yes")}<|im_end|>`, prompts[1] + said("left lung")];
    const labels = ["yes", JSON.stringify({ answer: "left lung", options: ["right lung", "left lung"] })];
    const { status, body } = await post("/get_reward", { query, prompts, labels });
    expect([status, body]).toEqual([
      200,
      { rewards: [1.5, 1.5], scores: [1.5, 1.5], extra_logs: { accuracy: [1, 1], format: [1, 1] } },
    ]);
    const other = await post("/get_reward", { query, prompts: ["x", "y"], labels });
    expect(other.body.error.message).toMatch(/query\[0\] does not begin with prompts\[0\]/);
    expect((await post("/get_reward", { query, prompts, labels: ["yes"] })).body.error.message).toMatch(/2, 2, 1/);
  });

  it("has no number for a completion to which no reward applies", async () => {
    const { post } = await serve({ facts: 1 });
    const asked = { query: ["ab"], prompts: ["a"], labels: ["yes"] };
    const { status, body } = await post("/get_reward", asked);
    expect([status, body.error.code]).toEqual([422, "no_reward"]);
  });
});

describe("NeMo-Gym's resources server", () => {
  const verify = async (answer: string) => {
    const { post } = await serve({ accuracy: 1, format: 0.5 });
    const content = [
      { type: "input_image", image_url: await film(90), detail: "auto" },
      { type: "input_text", text: "Is it clear?" },
    ];
    const output = [
      { type: "reasoning", id: "r", summary: [{ type: "summary_text", text: "No opacity." }] },
      { type: "message", role: "assistant", content: [{ type: "output_text", text: `<answer>${answer}</answer>` }] },
    ];
    const body = {
      responses_create_params: {
        input: [
          { role: "system", content: "Read." },
          { role: "user", content },
        ],
      },
      response: { id: "x", output },
      answer: "yes",
      _ng_task_index: 3,
    };
    return { asked: body, post, ...(await post("/verify", body)) };
  };

  it("gives a rollout back with its reward and its parts", async () => {
    const { asked, status, body, post } = await verify("yes");
    expect([status, body]).toEqual([200, { ...asked, reward: 1.5, reward_components: { accuracy: 1, format: 1 } }]);
    expect((await verify("no")).body.reward).toBe(0.5);
    expect((await post("/seed_session", {})).body).toEqual({});
    const { answer: _, ...without } = asked;
    expect((await post("/verify", without)).status).toBe(400);
  });

  it("aggregates what was verified, by task and overall", async () => {
    const { post } = await servePlain();
    const one = (task: number, reward: number) => ({ _ng_task_index: task, _ng_rollout_index: 0, reward });
    const verify_responses = [one(0, 1), one(0, 0), one(1, 0.5)];
    const { body } = await post("/aggregate_metrics", { verify_responses });
    expect(body.agent_metrics).toEqual({
      ...{ "mean/reward": 0.5, "max/reward": 1, "min/reward": 0, "median/reward": 0.5, "std/reward": 0.5 },
    });
    expect(
      body.group_level_metrics.map((group: Record<string, number>) => [group["_ng_task_index"], group["mean/reward"]]),
    ).toEqual([
      [0, 0.5],
      [1, 0.5],
    ]);
    expect(body.key_metrics).toEqual({ "mean/reward": 0.5 });
  });
});

describe("a reward that fails", () => {
  const rows = [{ completion: said("yes"), answer: "yes" }];

  it("is an error with its reason, not a number: a module that throws, a value out of range", async () => {
    const mine = module("throws.mjs", "export default { score: () => { throw new Error('no GPU'); } };");
    const { post, failures } = await serve({ accuracy: 1, mine: { ...mine, weight: 1 } });
    const { status, body } = await post("/score", { rows });
    expect([status, body.error]).toEqual([
      502,
      expect.objectContaining({ code: "reward_failed", message: expect.stringMatching(/no GPU/) }),
    ]);
    expect(failures).toHaveLength(1);
    const nan = module("nan.mjs", "export default { score: (e, all) => all.map(() => NaN) };");
    const other = await serve({ nan: { ...nan, weight: 1 } });
    expect((await other.post("/score", { rows })).body.error.message).toMatch(/gave NaN/);
  });

  it.each(["stop", "skip"])(
    "is one for a judge that cannot be reached, with on_failure: %s too",
    async (on_failure) => {
      const judge = {
        reward: "semantic",
        scorer: "judge",
        base_url: "http://127.0.0.1:9/v1",
        model: "m",
        max_retries: 0,
      };
      const { post } = await serve({ accuracy: 1, judged: { weight: 1, ...judge, on_failure } });
      const { status, body } = await post("/score", { rows });
      expect([status, body.error.message]).toEqual([502, expect.stringMatching(/cannot be reached/)]);
    },
  );
});

describe("limits", () => {
  const row = { completion: said("yes"), answer: "yes" };

  it("refuses too many rows, too large a body and too large an image", async () => {
    const { post } = await serve({ accuracy: 1 }, { limits: { maxRows: 2, maxImagePixels: 100 } });
    expect((await post("/score", { rows: [row, row, row] })).body.error.message).toMatch(/at most 2 are taken/);
    expect((await post("/score", { rows: [] })).status).toBe(400);
    expect((await post("/score", { rows: [{ ...row, completion: "x".repeat(300_000) }] })).status).toBe(413);
    const images = [await film(10)];
    expect((await post("/score", { rows: [{ ...row, images }] })).body.error.message).toMatch(
      /images\[0\] has 56 x 56 pixels/,
    );
  });

  it("ends a request that takes too long, and takes no more than it may hold, those included that nobody waits for", async () => {
    const slow = module(
      "slow.mjs",
      "export default { score: (e, all) => new Promise((r) => setTimeout(() => r(all.map(() => 1)), 900)) };",
    );
    const { post } = await serve({ slow: { ...slow, weight: 1 } }, { seconds: 0.2, limits: { maxPending: 2 } });
    const two = await Promise.all([post("/score", { rows: [row] }), post("/score", { rows: [row] })]);
    expect(two.map(({ status }) => status)).toEqual([504, 504]);
    const third = await post("/score", { rows: [row] });
    expect([third.status, third.headers.get("retry-after")]).toEqual([429, "2"]);
    await expect.poll(async () => (await post("/score", { rows: [row] })).status, { timeout: 5000 }).toBe(504);
  });

  it("answers what it is for, to whom it may", async () => {
    const { post, server } = await serve({ accuracy: 1 }, { apiKey: "correct-horse" });
    expect((await post("/score", { rows: [row] })).status).toBe(401);
    expect((await post("/score", { rows: [row] }, { authorization: "Bearer correct-horse" })).status).toBe(200);
    expect((await fetch(`${server.origin}/health`)).status).toBe(200);
    const open = await servePlain();
    expect((await fetch(`${open.server.origin}/score`)).status).toBe(405);
    expect((await open.post("/other", {})).status).toBe(404);
    const foreign = await new Promise((resolve) => {
      const asking = httpRequest(`${open.server.origin}/score`, { method: "POST", headers: { host: "evil.example" } });
      asking.on("response", ({ statusCode }) => resolve(statusCode)).end("{}");
    });
    expect(foreign).toBe(403);
    await expect(listenWith(null as never, null as never, { host: "0.0.0.0", port: 0, apiKey: null })).rejects.toThrow(
      /API key/,
    );
  });
});
