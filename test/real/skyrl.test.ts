/** The suite of all engines on SkyRL 0.4.0 (JAX), and a server that is killed in the middle. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import type { EngineOptions } from "../../src/engine/backend.ts";
import { engines } from "../../src/engine/index.ts";
import { openProcessor } from "../../src/models/index.ts";
import { root } from "../cli/command-line.ts";
import { describeEngine } from "../conformance/engines/suite.ts";
import { describeWithPython } from "./python.ts";
import { SKYRL, type SkyrlServer, startSkyrl, writeQwen3 } from "./skyrl.ts";

const local = `${root}/assets/viva-tiny-instruct`;
const processor = await openProcessor(local);
const optionsFor = (url: string): EngineOptions => ({
  modelFolder: local,
  initialise: "pretrained",
  seed: 3,
  freeze: [],
  lora: { r: 8, lora_alpha: 32, target_modules: "all-linear" },
  threads: 1,
  microBatchTokens: 4096,
  rows: 16,
  server: { url, model: null, apiKeyEnv: null },
});

await describeWithPython("SkyRL 0.4.0", SKYRL, (python) => {
  const folder = mkdtempSync(join(tmpdir(), "viva-skyrl-"));
  let server: SkyrlServer | null = null;
  beforeAll(async () => {
    server = await startSkyrl(python, writeQwen3(join(folder, "model")), join(folder, "server"));
  });
  afterAll(async () => {
    await server?.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  describeEngine("its JAX backend in one process", {
    open: () => engines.tinker.open(optionsFor(server!.url), processor),
    prompt: { text: "", tokenIds: processor.encodeCompletion("The lung is").slice(0, -1), images: [] },
    tokens: Int32Array.of(31, 32, 33, 34, 35, 36),
    images: null,
    rate: 0.01,
    tolerance: { sampler: 1e-3, load: 1e-4 },
    deviations: {
      "a black and a white image have other log-probs, and the sampler sees them": "JAX leaves images out",
      "an image with a wrong number of tokens is refused": "JAX leaves images out",
    },
  });
});
