/** OpenAI's client for Python against viva serve: what it takes, and the exceptions that its users catch. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { start } from "../cli/command-line.ts";
import { checkpoint, film } from "../server/served.ts";
import { describeWithPython } from "./python.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-openai-"));
let server: ReturnType<typeof start>;
let url = "";

beforeAll(async () => {
  writeFileSync(join(folder, "key"), "correct-horse\n");
  const model = ["--model-name", "tiny", "--api-key-file", "key", "--threads", "1"];
  server = start(folder, ["serve", checkpoint, "--port", "0", "--json", ...model]);
  const line = await new Promise<string>((resolve, reject) => {
    server.child.stdout!.once("data", resolve);
    server.finished.then(({ stderr }) => reject(new Error(stderr)), reject);
  });
  url = (JSON.parse(line) as { base_url: string }).base_url;
});
afterAll(async () => {
  server.child.kill("SIGTERM");
  const { stderr } = await server.finished;
  rmSync(folder, { recursive: true, force: true });
  expect(stderr).not.toMatch(/error|unexpected/i);
});

await describeWithPython("the openai client", { name: "openai", requirements: ["openai==3.57.0"] }, ({ python }) => {
  // biome-ignore lint/suspicious/noExplicitAny: what a Python program printed
  let said: any;
  beforeAll(async () => {
    const script = fileURLToPath(new URL("openai_client.py", import.meta.url));
    const { stdout } = await promisify(execFile)(python, [script, url, "correct-horse", "tiny", await film(200)]);
    said = JSON.parse(stdout);
  });

  it("is answered the same plainly, raw, streamed, two at a time and with values that ask for nothing", () => {
    const { plain, image } = said;
    expect([said.models, said.model, said.usage]).toEqual([["tiny"], "tiny", 0]);
    expect(plain).not.toBe(image);
    expect([said.raw, said.neutral, said.text_format, said.helper.text, said.after]).toEqual(Array(5).fill(plain));
    expect(said.both).toEqual([plain, image]);
    expect(said.streamed).toMatchObject({ text: image, finish_reason: expect.stringMatching(/^(?:stop|length)$/) });
    expect(said.streamed.usage).toBeGreaterThan(0);
    expect(said.helper.events).toEqual(expect.arrayContaining(["chunk", "content.delta", "content.done"]));
  });

  it("is given the log-probs of every token of every choice", () => {
    expect(said.choices[0]).toBe(said.image);
    expect(said.log_prob_texts).toEqual(said.choices);
    for (const values of said.logprobs) expect(values.every((value: number) => value <= 0)).toBe(true);
  });

  it.each([
    ["json_object", "BadRequestError", 400, /response_format/],
    ["json_schema", "BadRequestError", 400, /response_format/],
    ["top_logprobs", "BadRequestError", 400, /top_logprobs/],
    ["sampler", "BadRequestError", 400, /repetition_penalty/],
    ["unknown", "BadRequestError", 400, /no_such_field/],
    ["temperature", "BadRequestError", 400, /temperature/],
    ["remote", "BadRequestError", 400, /data:image/],
    ["key", "AuthenticationError", 401, /key/],
    ["model", "NotFoundError", 404, /another.*tiny/],
    ["path", "NotFoundError", 404, /./],
    ["timeout", "APITimeoutError", null, /timed out/],
  ])("raises of %s %s", (name, kind, status, message) => {
    expect(said.refused[name]).toMatchObject({ kind, status, message: expect.stringMatching(message) });
  });
});
