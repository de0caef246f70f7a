/** The released Tinker SDKs drive `viva serve --tinker` through training with images, saving, resuming and mistakes. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { parseTar } from "nanotar";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWithPython } from "./python.ts";
import { key, needs, type Server, serve, versions } from "./tinker/served.ts";

const script = join(import.meta.dirname, "tinker/loop.py");

const clientOf = (python: string, server: Server, ...more: string[]) => {
  const options = { env: { ...process.env, TINKER_API_KEY: key }, timeout: 4 * 60_000 };
  return promisify(execFile)(python, [script, server.url, "viva-tiny-instruct", ...more], options);
};
const lastLine = ({ stdout }: { readonly stdout: string }) => JSON.parse(stdout.trim().split("\n").at(-1)!);

for (const version of versions) {
  await describeWithPython(`the Tinker SDK ${version}`, needs(version), ({ python }) => {
    const store = mkdtempSync(join(tmpdir(), "viva-tinker-test-"));
    const run = async (server: Server, ...more: string[]) => lastLine(await clientOf(python, server, ...more));
    let server: Server;
    // biome-ignore lint/suspicious/noExplicitAny: what the script prints
    let seen: any;
    beforeAll(async () => {
      server = await serve(store);
      seen = await run(server);
    });
    afterAll(async () => {
      await server.stop();
      rmSync(store, { recursive: true });
    });

    it("trains by reinforcement on images: rewards rise, sampler and trainer agree", () => {
      expect(seen.version).toBe(version);
      expect(seen.capabilities).toEqual([["viva-tiny-instruct", 2048]]);
      const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
      expect(mean(seen.rewards.slice(-3))).toBeGreaterThan(mean(seen.rewards.slice(0, 3)) + 0.1);
      expect(seen.grad_norm).toBeGreaterThan(0);
      expect(seen.sampler_trainer_difference).toBeLessThan(1e-3);
      expect(seen.image_difference).toBeGreaterThan(0.01);
    });

    it("samples snapshots that training leaves alone, and stops where it is told to", () => {
      expect(seen.snapshot_isolated).toBe(true);
      expect(seen.base_equals_fresh).toBe(true);
      expect(seen.prompt_logprobs).toEqual([seen.prompt_tokens, null, true]);
      expect(seen.by_path).toBeGreaterThan(0);
      expect(seen.stops.cut).toBe(true);
      expect(seen.stops.endless).toEqual([40, 40, 40, 40]);
    });

    it("keeps gradients per model, and adds them up", () => {
      expect(seen.gradients.fresh).toBe(0);
      expect(Math.abs(seen.gradients.twice / seen.gradients.once - 1)).toBeLessThan(1e-4);
    });

    it("resumes exactly, also when the server was started again", async () => {
      expect(seen.resume_difference).toBe(0);
      expect(seen.without_moments_differ).toBe(true);
      await server.stop();
      server = await serve(store);
      const again = await run(server, seen.state);
      expect(again.logprobs).toEqual(seen.logprobs);
    });

    it("hands out a saved adapter in PEFT's layout", async () => {
      const url = new URL(new URL(seen.archive).pathname, server.url);
      const answer = await fetch(url, { headers: { "x-api-key": key } });
      const names = parseTar(await answer.arrayBuffer()).map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(["adapter_config.json", "adapter_model.safetensors"]));
      expect((await fetch(url)).status).toBe(401);
    });

    it("refuses mistakes with their reason, and goes on", () => {
      const reasons = {
        count: "expected_tokens is 9, but this image of 56 x 56 pixels has 4 tokens",
        length: "target_tokens has",
        loss: 'loss_fn "dro" is not supported',
        vocabulary: "token 99999 is not in the model's vocabulary of 2048 tokens",
        missing: "loss_fn_inputs.logprobs is missing",
        config: 'cross_entropy has no "beta"',
        context: "5000 more do not fit the context of 2048",
        taken: "weights/ck1 is there already",
        unknown: "there is no checkpoint tinker://session-x:train:0/weights/none",
      };
      for (const [name, reason] of Object.entries(reasons)) expect(seen.errors[name], name).toContain(reason);
      for (const error of Object.values(seen.errors)) expect(error).toMatch(/^(RequestFailed|BadRequest)Error/);
      expect(seen.alive).toBe(true);
    });
  });
}

await describeWithPython("several clients of one Tinker server", needs("0.38.0"), ({ python }) => {
  it("train side by side as each alone; one that is killed takes only its own models with it", async () => {
    const store = mkdtempSync(join(tmpdir(), "viva-tinker-test-"));
    const server = await serve(store, "--session-timeout-s", "15", "--max-models", "16"); // the killed one's stay a while
    const load = async () => {
      const answer = await fetch(`${server.url}/api/v1/healthz`);
      return (await answer.json()) as { sessions: number; models: number };
    };
    try {
      const killed = clientOf(python, server);
      const both = [clientOf(python, server), clientOf(python, server)];
      const gone = killed.catch((error: { readonly signal: string }) => error.signal);
      await expect.poll(async () => (await load()).models, { timeout: 60_000 }).toBeGreaterThan(2);
      killed.child.kill("SIGKILL");
      expect(await gone).toBe("SIGKILL");
      const [one, two] = (await Promise.all(both)).map(lastLine);
      for (const [i, reward] of one.rewards.entries()) expect(reward).toBeCloseTo(two.rewards[i], 6);
      for (const seen of [one, two]) {
        expect(seen.resume_difference).toBe(0);
        expect(seen.snapshot_isolated).toBe(true);
        expect(seen.gradients.fresh).toBe(0);
      }
      // Nobody is left: all sessions fall silent and end.
      await expect.poll(load, { timeout: 60_000 }).toMatchObject({ sessions: 0, models: 0 });
    } finally {
      await server.stop();
      rmSync(store, { recursive: true });
    }
  });
});
