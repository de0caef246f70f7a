import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { pause, serveChat } from "./chat-server.ts";
import { interrupted, jsonLines, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { writeFilms, writeRows } from "./tiny-run.ts";

const folder = temporaryFolder();
const at = (...path: string[]) => join(folder, ...path);
const questions = 40;

beforeAll(async () => {
  await writeFilms(at("films"));
  const rows = Array.from({ length: questions }, (_, i) => {
    const answer = i % 3 === 0 ? "no" : "yes";
    return {
      id: `q${i}`,
      image: `images/${12 + (i % 4)}.jpg`,
      question: `Is ${i} there?`,
      answer,
      subject: `p${i % 16}`,
    };
  });
  writeRows(at("films", "test.jsonl"), rows);
});

/** The command that asks an endpoint; --max-retries 2 unless said otherwise. */
const asking = (url: string, out: string, ...more: readonly string[]) => [
  ...["eval", "--endpoint", url, "--model", "vlm-7b", "--data", "jsonl", "--path", "films", "--out", out],
  ...["--no-nearest-neighbour", ...more],
];
const answers = (file: string) =>
  jsonLines(folder, file)
    .filter(({ kind }) => kind === "item")
    .map(({ example_id, prediction }) => [example_id, prediction]);
const answerTo = (text: string) => (Number(/\d+/.exec(text)![0]) % 2 === 0 ? "Yes." : "No.");

describe("viva eval --endpoint", () => {
  it("scores what a server answers through delays, 429, 500, drops and garbage, in bounded flight", async () => {
    const server = await serveChat(async ({ text, times }, response) => {
      const number = Number(/\d+/.exec(text)![0]);
      await pause(number % 7);
      if (times === 1 && number % 8 === 1) response.writeHead(429, { "retry-after": "0.1" }).end("slow down");
      else if (times === 1 && number % 8 === 2) response.writeHead(500).end("oops");
      else if (times === 1 && number % 8 === 3) response.socket!.destroy();
      else if (times === 1 && number % 8 === 4) response.end("<html>");
      else return answerTo(text);
      return null;
    });
    const more = [
      "--concurrency",
      "4",
      "--max-pixels",
      "1000",
      "--results",
      "results.json",
      "--samples",
      "samples.jsonl",
    ];
    const { stdout } = await vivaOk(folder, ...asking(server.url, "all.jsonl", ...more));
    expect(stdout).toMatch(/protocol viva, vlm-7b at http:.*\n/);
    expect(answers("all.jsonl")).toEqual(
      Array.from({ length: questions }, (_, i) => [`q${i}`, i % 2 === 0 ? "Yes." : "No."]),
    );
    expect(server.mostOpen()).toBeLessThanOrEqual(4);
    expect(server.requests).toHaveLength(questions + 20);
    const { body } = server.requests[0]!;
    expect(body).toMatchObject({ model: "vlm-7b", temperature: 0, max_tokens: 64 });
    expect(body.messages[0].content[0].image_url.url).toMatch(/^data:image\/png;base64,/);
    const summary = jsonLines(folder, "all.jsonl").at(-1);
    expect(summary.conditions).toMatchObject({
      questions: { n: questions },
      prompt: { style: "plain" },
      decoding: { num_generations: 1, temperature: 0, seed: null, max_completion_length: 64 },
      images: { min_pixels: null, max_pixels: 1000, tokens: null },
    });
    const results = JSON.parse(readFileSync(at("results.json"), "utf8"));
    expect(results).toMatchObject({ subject: `vlm-7b at ${server.url}`, prompt: "plain", data: { questions } });
    expect(results.protocols[0].subsets.overall.baselines).toHaveProperty("question_only");
    expect(jsonLines(folder, "samples.jsonl")[1]).toMatchObject({ doc_id: 1, resps: [["No."]], target: "yes" });
    expect(existsSync(at("all.partial.jsonl"))).toBe(false);
  });

  it("goes on after kill -9 with the answers it had, and ends like a run never stopped", async () => {
    const server = await serveChat(async ({ text }) => {
      await pause(40);
      return answerTo(text);
    });
    const lines = () => (existsSync(at("killed.partial.jsonl")) ? jsonLinesOf("killed.partial.jsonl").length : 0);
    const jsonLinesOf = (file: string) => readFileSync(at(file), "utf8").split("\n").slice(0, -1);
    const command = asking(server.url, "killed.jsonl", "--concurrency", "2");
    const { signal } = await interrupted(folder, command, { signal: "SIGKILL", when: () => lines() >= 12 });
    expect(signal).toBe("SIGKILL");
    expect(existsSync(at("killed.jsonl"))).toBe(false);
    const kept = lines() - 1; // the first line says what was asked
    expect(kept).toBeGreaterThanOrEqual(11);
    expect(kept).toBeLessThan(questions);

    const other = await viva(folder, ...command, "--max-completion-length", "8");
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(
      /killed\.partial\.jsonl holds the answers .* with another decoding: repeat that command/,
    );

    const before = server.requests.length;
    const { stderr } = await vivaOk(folder, ...command);
    expect(stderr).toContain(`going on with ${kept} of ${questions} questions answered`);
    expect(server.requests.length - before).toBe(questions - kept);
    expect(server.requests.length).toBeLessThanOrEqual(questions + 2);
    await vivaOk(folder, ...asking(server.url, "unbroken.jsonl"));
    expect(readFileSync(at("killed.jsonl"), "utf8")).toBe(readFileSync(at("unbroken.jsonl"), "utf8"));
  });

  it("stops at once with one sentence where no request can work, keeps what it has, and never shows the key", async () => {
    let expired = false;
    const server = await serveChat(({ text, key }, response) => {
      if (!expired) return answerTo(text);
      response.writeHead(401).end(`invalid key ${key}`);
      return null;
    });
    process.env["VIVA_TEST_KEY"] = "top-secret";
    const command = asking(server.url, "refused.jsonl", "--api-key-env", "VIVA_TEST_KEY", "--concurrency", "1");
    const first = interrupted(folder, command, { signal: "SIGTERM", when: () => server.requests.length >= 5 });
    expect((await first).code).toBe(143);
    expired = true;
    const { code, stderr, stdout } = await viva(folder, ...command);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /model vlm-7b at .*: answered 401 invalid key Bearer \*\*\*; \d+ answers are kept in refused/,
    );
    expect(server.requests.every(({ key }) => key === "Bearer top-secret")).toBe(true);
    const written = stdout + stderr + readFileSync(at("refused.partial.jsonl"), "utf8");
    expect(written).not.toContain("top-secret");
    const refusals = server.requests.length;
    expired = false;
    await vivaOk(folder, ...command);
    expect(server.requests.length).toBeGreaterThan(refusals);
    expect(answers("refused.jsonl")).toHaveLength(questions);

    const missing = await viva(folder, ...asking(server.url, "x.jsonl", "--api-key-env", "VIVA_NO_SUCH_KEY"));
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining("VIVA_NO_SUCH_KEY is not set")]);
    const gone = await viva(folder, ...asking("http://127.0.0.1:1/v1", "gone.jsonl", "--max-retries", "0"));
    expect([gone.code, gone.stderr]).toEqual([
      1,
      expect.stringMatching(/^error: model vlm-7b at \S+ cannot be reached: .*\n$/m),
    ]);
    expect(gone.stderr).not.toMatch(/kept in|19\/40/);
  });

  it("counts what a server refuses to answer, and scores it as wrong only when told", async () => {
    const server = await serveChat(({ text }, response) => {
      if (!/ (3|5|7) /.test(text)) return answerTo(text);
      response.writeHead(text.includes(" 5 ") ? 500 : 400).end("too long");
      return null;
    });
    const command = asking(server.url, "some.jsonl", "--max-retries", "0");
    const { code, stderr } = await viva(folder, ...command);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /3 of 40 answers could not be obtained \(\d × answered \d00 \(too long\); \d × answered \d00 \(too long\); first "q\d"\)/,
    );
    expect(stderr).toMatch(/37 answers are kept in some\.partial\.jsonl/);
    await vivaOk(folder, ...command, "--count-unanswered");
    expect(server.requests).toHaveLength(questions + 3);
    const summary = jsonLines(folder, "some.jsonl").at(-1);
    expect(summary.unanswered).toEqual({ "answered 400": 2, "answered 500": 1 });
    const failed = jsonLines(folder, "some.jsonl").find(({ example_id }) => example_id === "q3");
    expect(failed).toMatchObject({ prediction: "", strict: 0, parse_failure: true, error: "answered 400" });
    expect(failed.error_detail).toBe("too long");
  });

  it("takes an end without content for an empty answer, and reads parts", async () => {
    const server = await serveChat(({ text }, response) => {
      const number = Number(/\d+/.exec(text)![0]);
      const content = number % 4 === 0 ? null : [{ type: "text", text: answerTo(text) }];
      const choices = [
        { message: { role: "assistant", content }, finish_reason: number % 4 === 0 ? "length" : "stop" },
      ];
      response.end(JSON.stringify({ choices }));
      return null;
    });
    await vivaOk(folder, ...asking(server.url, "null.jsonl", "--max-tokens-field", "max_completion_tokens"));
    expect(server.requests).toHaveLength(questions);
    expect(server.requests[0]!.body).toMatchObject({ max_completion_tokens: 64 });
    expect(server.requests[0]!.body).not.toHaveProperty("max_tokens");
    const items = jsonLines(folder, "null.jsonl").filter(({ kind }) => kind === "item");
    expect(items[4]).toMatchObject({ prediction: "", parse_failure: true, finish_reason: "length" });
    expect(items[5]).toMatchObject({ prediction: "No.", parse_failure: false });
    expect(items.every(({ error }) => error === undefined)).toBe(true);
  });

  it("draws several answers by seed and gives pass@k and majority@k", async () => {
    const server = await serveChat(({ text, body }) => (body.seed % 3 === 0 ? "maybe" : answerTo(text)));
    const sampled = (out: string, seed: string) =>
      asking(server.url, out, "--num-generations", "3", "--top-p", "0.9", "--seed", seed);
    await vivaOk(folder, ...sampled("drawn.jsonl", "1"));
    const seeds = server.requests.map(({ body }) => body.seed);
    expect(new Set(seeds).size).toBe(3 * questions);
    expect(server.requests[0]!.body).toMatchObject({ temperature: 1, top_p: 0.9 });
    await vivaOk(folder, ...sampled("again.jsonl", "1"));
    expect(readFileSync(at("again.jsonl"), "utf8")).toBe(readFileSync(at("drawn.jsonl"), "utf8"));
    await vivaOk(folder, ...sampled("other.jsonl", "2"));
    expect(answers("other.jsonl")).not.toEqual(answers("drawn.jsonl"));
    const lines = jsonLines(folder, "drawn.jsonl");
    expect(lines[0].predictions).toHaveLength(3);
    expect(lines.at(-1).sampled).toMatchObject({ generations: 3, at_k: { "1": {}, "2": {}, "3": {} } });
    // The file can be scored again as predictions made elsewhere.
    const rescored = [
      "eval",
      "--predictions",
      "drawn.jsonl",
      "--data",
      "jsonl",
      "--path",
      "films",
      "--out",
      "re.jsonl",
    ];
    await vivaOk(folder, ...rescored, "--no-nearest-neighbour");
    expect(jsonLines(folder, "re.jsonl").at(-1).sampled).toEqual(lines.at(-1).sampled);
    rmSync(at("re.jsonl"));
  });

  it.each<[string, readonly string[], RegExp]>([
    ["no model", ["--endpoint", "http://h/v1"], /--endpoint URL and --model NAME belong together/],
    ["no address", ["--endpoint", "h:1", "--model", "m"], /--endpoint: h:1 is no http address/],
    ["two sources", ["run", "--endpoint", "http://h/v1", "--model", "m"], /needs one of: a checkpoint, --endpoint/],
    ["nothing", [], /needs one of/],
    ["a transcript", ["--endpoint", "http://h/v1", "--model", "m", "--prompt", "base"], /chat endpoint writes the/],
    ["draws without heat", ["x", "--num-generations", "2", "--temperature", "0"], /needs a --temperature above 0/],
  ])("refuses %s", async (_, args, message) => {
    const finished = await viva(folder, "eval", ...args, "--data", "jsonl", "--path", "films", "--out", "no.jsonl");
    expect([finished.code, finished.stderr]).toEqual([2, expect.stringMatching(message)]);
  });
});
