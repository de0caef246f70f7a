/** The suite on this machine's engine, and on a server that adds up gradients in every way that was seen. */
import { afterAll } from "vitest";
import { promptStyle } from "../../../src/answers/prompts.ts";
import type { EngineOptions } from "../../../src/engine/backend.ts";
import { engines } from "../../../src/engine/index.ts";
import { openProcessor } from "../../../src/models/index.ts";
import { imageProbe } from "../../../src/session/engine-demands.ts";
import { root } from "../../cli/command-line.ts";
import { startFakeServer } from "./fake-server.ts";
import { describeEngine } from "./suite.ts";
import { serveViva } from "./viva-server.ts";

const folder = `${root}/assets/viva-tiny-instruct`;
const processor = await openProcessor(folder);
const images = await imageProbe({ processor, prompt: promptStyle("plain") });
const words = processor.encodeCompletion("The lung is").slice(0, -1);
const prompt = { text: "", tokenIds: words, images: [] };
const options: EngineOptions = {
  modelFolder: folder,
  initialise: "pretrained",
  seed: 3,
  freeze: [],
  lora: { r: 8, lora_alpha: 32, target_modules: "all-linear" },
  threads: 1,
  microBatchTokens: 4096,
  rows: 8,
};
const onServer = (url: string) => ({ ...options, server: { url, model: null, apiKeyEnv: null } });
const common = { prompt, images: { ...images, placeholder: processor.imageTokenId } };

describeEngine("local", {
  ...common,
  tokens: processor.encodeCompletion("the right lung shows an opacity").slice(0, 6),
  open: () => engines.local.open(options, processor),
  rate: 0.003,
  tolerance: { sampler: 1e-3, load: 0 },
});

const viva = await serveViva(folder);
afterAll(() => viva.close());
describeEngine("tinker on viva's own server", {
  ...common,
  tokens: processor.encodeCompletion("the right lung shows an opacity").slice(0, 6),
  open: () => engines.tinker.open(onServer(viva.url), processor, { features: [], images }),
  rate: 0.003,
  tolerance: { sampler: 1e-3, load: 0 },
});

for (const [name, ways] of Object.entries({
  sums: {},
  means: { dividesByTokens: true, dividesByData: true },
  uncapped: { clipsAround: true, inheritsGradients: true, dividesByTokens: true },
})) {
  const server = await startFakeServer(ways);
  afterAll(() => server.close());
  describeEngine(`tinker on a server of ${name}`, {
    ...common,
    tokens: Int32Array.of(31, 32, 33, 34, 35, 36),
    open: () => engines.tinker.open(onServer(server.url), processor, { features: [], images }),
    rate: 0.3,
    tolerance: { sampler: 1e-3, load: 1e-6 },
    deviations: {
      "saved and loaded into a new engine, it is the same model": "the fake server exports no adapter",
      "saved and loaded into a new engine, its next update is the same": "the fake server exports no adapter",
    },
  });
}
