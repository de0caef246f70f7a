/** Small programs of the released Tinker SDKs' users: copies of clients, mistakes, losses of their own, checkpoints, ends. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWithPython } from "./python.ts";
import { key, needs, type Server, serve, versions } from "./tinker/served.ts";

const script = join(import.meta.dirname, "tinker/programs.py");

for (const version of versions) {
  await describeWithPython(`programs of the Tinker SDK ${version}`, needs(version), ({ python, bin }) => {
    const folder = mkdtempSync(join(tmpdir(), "viva-tinker-test-"));
    const isNew = version !== "0.25.0";
    let server: Server;
    // biome-ignore lint/suspicious/noExplicitAny: what the script prints
    let seen: any;
    beforeAll(async () => {
      server = await serve(join(folder, "store"));
      const env = { ...process.env, TINKER_API_KEY: key, VIVA_TEST_FOLDER: folder };
      const asked = [script, server.url, "viva-tiny-instruct"];
      const { stdout } = await promisify(execFile)(python, asked, { env, timeout: 3 * 60_000 });
      seen = JSON.parse(stdout.trim().split("\n").at(-1)!);
    });
    afterAll(async () => {
      await server.stop();
      rmSync(folder, { recursive: true });
    });

    it("trains two models while a snapshot of one is sampled", () => {
      expect(seen.side_by_side).toEqual([true, true, true]);
    });

    it("takes the weights of a loss that the client computes: opposite ones cancel", () => {
      expect(seen.opposite).toBeLessThan(1e-3);
    });

    it("tells a mistake at once, and goes on with what follows", () => {
      expect(seen.mistake[0]).toContain("RequestFailedError: Request failed: adam_params.learning_rate");
      expect(seen.after_mistake).toBeNull();
      expect(seen.too_long[0]).toContain("it has 2050 tokens, the model's context has 2048");
      expect(seen.top_k[0]).toContain("topk_prompt_logprobs is not supported");
      expect(seen.publish[0]).toContain("does not support publishing");
      for (const name of ["mistake", "too_long", "top_k", "publish"]) expect(seen[name][1], name).toBeLessThan(20);
    });

    it("answers a sampling client that another process was handed", () => {
      expect(seen.handed_over).toEqual(["", true]);
    });

    it("keeps to seeds, ends and lengths", () => {
      expect(seen.seeds).toEqual([true, true]);
      expect(seen.stop_text).toMatch(/<\/think>.{0,2}$/);
      expect(seen.long).toBe(5);
      if (isNew) expect(seen.last).toEqual([true, expect.closeTo(0, 4)]);
    });

    it("hands a checkpoint to the SDK's command line, which brings no key for its files", async () => {
      const env = { ...process.env, TINKER_API_KEY: key, TINKER_BASE_URL: server.url, TINKER_TELEMETRY: "0" };
      const asked = ["checkpoint", "download", seen.download, "--output", join(folder, "downloads")];
      await promisify(execFile)(bin("tinker"), asked, { env, timeout: 60_000 });
      const [one] = readdirSync(join(folder, "downloads"));
      expect(readdirSync(join(folder, "downloads", one!))).toEqual(
        expect.arrayContaining(["adapter_config.json", "adapter_model.safetensors"]),
      );
    });

    it("lists checkpoints in pages, moves their ends, removes them; sessions are listed and closed", () => {
      expect(seen.page).toEqual([true, true]);
      expect(seen.ends).toEqual([
        [true, false, true],
        [true, true],
      ]);
      expect(seen.session).toEqual([true, true]);
      if (isNew) expect(seen.closed).toBe(true);
    });
  });
}
