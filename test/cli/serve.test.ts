/** The command viva serve: its address, its key, its end, and the memory it holds on to. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import OpenAI from "openai";
import { afterEach, describe, expect, it } from "vitest";
import { checkpoint, film, image, text } from "../server/served.ts";
import { start, temporaryFolder, viva } from "./command-line.ts";
import { tinyRecipe, writeRecipe } from "./tiny-run.ts";

const folder = temporaryFolder();
const children: ReturnType<typeof start>[] = [];
afterEach(async () => {
  for (const { child, finished } of children.splice(0)) {
    child.kill("SIGKILL");
    await finished;
  }
});

/** Starts the command on a free port; resolves when it has said where it listens. */
const serve = (...args: readonly string[]) => serveOne(checkpoint, ...args);

async function serveOne(served: string, ...args: readonly string[]) {
  const started = start(folder, ["serve", served, "--port", "0", "--json", "--threads", "1", ...args]);
  children.push(started);
  const line = await new Promise<string>((resolve, reject) => {
    started.child.stdout!.once("data", (chunk: string) => resolve(chunk));
    started.finished.then(({ stderr }) => reject(new Error(stderr)), reject);
  });
  const { base_url: baseURL, ...rest } = JSON.parse(line) as { base_url: string; model: string; api_key: boolean };
  const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
  return { ...started, client, baseURL, ...rest };
}

const question = {
  model: "checkpoint",
  messages: [{ role: "user", content: "Is it clear?" }],
  max_completion_tokens: 16,
  seed: 1,
} satisfies OpenAI.ChatCompletionCreateParamsNonStreaming;

/** A small film whose file has a long tail that no decoder reads: large on the way, quick to decode. */
async function heavyFilm(grey: number): Promise<string> {
  const [head, film64] = (await film(grey)).split(",") as [string, string];
  const tail = Buffer.alloc(700_000, grey);
  return `${head},${Buffer.concat([Buffer.from(film64, "base64"), tail]).toString("base64")}`;
}

describe("viva serve", () => {
  it("says where it is, answers, and ends well when told to, with what runs finished", async () => {
    const server = await serve("--rows", "4", "--cache-gb", "0.001");
    expect([server.model, server.api_key]).toEqual(["checkpoint", false]);
    expect(server.baseURL).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/v1$/);
    const first = await server.client.chat.completions.create(question);
    const again = await server.client.chat.completions.create(question);
    expect(again.choices).toEqual(first.choices);
    expect(first.system_fingerprint).toMatch(/^fp_[0-9a-f]{12}$/);
    const stream = await server.client.chat.completions.create({
      ...question,
      n: 12,
      max_completion_tokens: 100,
      stream: true,
    });
    const reasons: string[] = [];
    for await (const { choices } of stream) {
      const [choice] = choices;
      if (choice?.delta.content && reasons.length === 0 && !server.child.killed) server.child.kill("SIGTERM");
      if (choice?.finish_reason) reasons.push(choice.finish_reason);
    }
    expect(reasons).toHaveLength(12);
    const { code, stderr } = await server.finished;
    expect(code).toBe(143);
    expect(stderr).toMatch(/^\nstopping;.*\n$/);
  });

  it("wants the key of a file or of the environment, and shows it to nobody", async () => {
    const file = join(folder, "key");
    writeFileSync(file, "correct-horse\n");
    const server = await serve("--api-key-file", file, "--model-name", "film-reader", "--host", "0.0.0.0");
    expect([server.model, server.api_key]).toEqual(["film-reader", true]);
    const baseURL = server.baseURL.replace("0.0.0.0", "127.0.0.1");
    const withKey = (apiKey: string) => new OpenAI({ baseURL, apiKey, maxRetries: 0 });
    const asked = { ...question, model: "film-reader" };
    expect((await withKey("correct-horse").chat.completions.create(asked)).choices).toHaveLength(1);
    await expect(withKey("correct").chat.completions.create(asked)).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    server.child.kill("SIGINT");
    const { code, stdout, stderr } = await server.finished;
    expect(code).toBe(130);
    expect(stdout + stderr).not.toContain("correct");
  });

  it("puts questions in a prompt style where it is told to, under a fingerprint of its own", async () => {
    const ask = async (...args: readonly string[]) => {
      const { client, child } = await serve(...args);
      const { usage, system_fingerprint } = await client.chat.completions.create(question);
      child.kill("SIGTERM");
      return { tokens: usage!.prompt_tokens, system_fingerprint };
    };
    const [bare, styled] = [await ask(), await ask("--prompt-style", "think_answer")];
    expect(styled.tokens).toBeGreaterThan(bare.tokens + 10);
    expect(styled.system_fingerprint).not.toBe(bare.system_fingerprint);
    const step = "run/checkpoints/step-000001";
    cpSync(checkpoint, join(folder, step), { recursive: true });
    writeRecipe(join(folder, "run/recipe.yaml"), {
      ...tinyRecipe({ model: checkpoint, data: folder }),
      prompt: "answer_only",
    });
    const ofRun = await serveOne(step);
    ofRun.child.kill("SIGTERM");
    expect((await ofRun.finished).stderr).toMatch(
      /^messages go to the model as they are; .*answer_only.*--prompt-style/,
    );
    const { code, stderr } = await viva(folder, "serve", checkpoint, "--prompt-style", "--port", "0");
    expect([code, stderr]).toEqual([2, expect.stringMatching(/belongs to no run, so name the style: think_answer,/)]);
  });

  it("refuses an open address without a key, an empty key, a model that is none", async () => {
    const refused = async (...args: readonly string[]) => {
      const { code, stderr } = await viva(folder, "serve", ...args, "--port", "0");
      expect(stderr.split("\n")).toHaveLength(2);
      return [code, stderr];
    };
    expect(await refused(checkpoint, "--host", "0.0.0.0")).toEqual([2, expect.stringMatching(/--api-key-file/)]);
    writeFileSync(join(folder, "empty"), "\n");
    const empty = await refused(checkpoint, "--api-key-file", "empty");
    expect(empty).toEqual([2, expect.stringMatching(/the key is empty/)]);
    expect(await refused("nowhere")).toEqual([2, expect.stringMatching(/nowhere/)]);
  });

  it.skipIf(process.platform !== "linux")("holds on to no memory of what it has answered", async () => {
    const server = await serve("--rows", "8");
    const residentMb = () => {
      const status = readFileSync(`/proc/${server.child.pid}/status`, "utf8");
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) / 1000;
    };
    const films = await Promise.all(Array.from({ length: 8 }, (_, i) => heavyFilm(20 * i)));
    let sentMb = 0;
    const wave = async () => {
      const one = async (i: number) => {
        const content = [image(films[i % 8]!), text("Is it clear?")];
        const body = { ...question, messages: [{ role: "user" as const, content }], n: 1 + (i % 3), seed: i };
        const controller = new AbortController();
        const leaves = i % 4 === 3;
        if (leaves) setTimeout(() => controller.abort(), 5 * i);
        sentMb += films[i % 8]!.length / 1e6;
        await server.client.chat.completions.create(body, { signal: controller.signal }).catch((error: unknown) => {
          if (!leaves) throw error;
        });
      };
      await Promise.all(Array.from({ length: 32 }, (_, i) => one(i)));
      return residentMb();
    };
    const before = Math.max(await wave(), await wave(), await wave()); // by then the heap has its size
    sentMb = 0;
    const after = [await wave(), await wave(), await wave(), await wave()];
    expect(sentMb).toBeGreaterThan(100);
    expect(Math.min(after[2]!, after[3]!) - before).toBeLessThan(sentMb / 2);
    const url = new URL("/health", server.baseURL);
    await expect
      .poll(async () => (await fetch(url)).json(), { timeout: 10_000 })
      .toMatchObject({ status: "ok", queue: 0, rows: 0 });
  });
});
