/** What the client finds out about servers that differ, and that it trains the same on all of them. */
import { afterAll, describe, expect, test } from "vitest";
import { promptStyle } from "../../../src/answers/prompts.ts";
import type { EngineDemands } from "../../../src/engine/backend.ts";
import { engines } from "../../../src/engine/index.ts";
import { openEngine } from "../../../src/library/engine.ts";
import { openProcessor } from "../../../src/models/index.ts";
import { imageProbe } from "../../../src/session/engine-demands.ts";
import { root } from "../../cli/command-line.ts";
import { type FakeServer, startFakeServer, type Ways } from "./fake-server.ts";

const folder = `${root}/assets/viva-tiny-instruct`;
const processor = await openProcessor(folder);
const images = await imageProbe({ processor, prompt: promptStyle("plain") });
const demands: EngineDemands = { features: [], images };
const started: FakeServer[] = [];
afterAll(async () => {
  for (const server of started) await server.close();
});

async function inspected(ways: Ways, asked = demands) {
  const server = await startFakeServer(ways);
  started.push(server);
  const options = {
    modelFolder: folder,
    initialise: "pretrained",
    ...{ seed: 3, freeze: [], threads: 1, microBatchTokens: 4096, rows: 8 },
    lora: { r: 8, lora_alpha: 32, target_modules: "all-linear" },
    server: { url: server.url, model: null, apiKeyEnv: null },
  } as const;
  const found = await engines.tinker.inspect!(options, processor, asked);
  return { ...found, server };
}

describe("what is found", () => {
  const plain = {
    divides_by_tokens: false,
    divides_by_data: false,
    clips_to_one: true,
    inherits_gradients: false,
    sampler_logprob_diff: expect.closeTo(0, 5),
    load_logprob_diff: 0,
    repeats_seeds: true,
    loads_moments: true,
    resets_moments: true,
    cannot: {},
    honours: { adam_beta1: true, adam_epsilon: true, max_grad_norm: true },
  };
  test.each<[string, Ways, object]>([
    ["Tinker's own ways", {}, {}],
    [
      "means over tokens and data",
      { dividesByTokens: true, dividesByData: true },
      { divides_by_tokens: true, divides_by_data: true },
    ],
    ["a mean over data alone", { dividesByData: true }, { divides_by_data: true }],
    ["thresholds around 1", { clipsAround: true }, { clips_to_one: false }],
    ["no cispo", { losses: ["importance_sampling"] }, { clips_to_one: false }],
    ["gradients left over", { inheritsGradients: true }, { inherits_gradients: true }],
    [
      "moments kept on loading",
      { keepsMoments: true },
      { resets_moments: false, cannot: { later_stage: expect.any(String) } },
    ],
    ["one place", { places: 1 }, { cannot: { reference: expect.stringMatching(/no place/) } }],
    ["images left out", { images: "left_out" }, { cannot: { images: expect.any(String) } }],
    ["images uncounted", { images: "uncounted" }, { cannot: { images: expect.stringMatching(/how many tokens/) } }],
    ["no clipping", { ignores: ["grad_clip_norm"] }, { honours: { ...plain.honours, max_grad_norm: false } }],
  ])("%s", async (_, ways, found) => {
    const { record, refused } = await inspected(ways);
    expect(record).toMatchObject({ ...plain, ...found });
    expect(refused).toEqual([]);
  });

  test("images that a model cuts into tiles are refused before anything is sent of them", async () => {
    const { imageTokenId: mark } = processor;
    const tiled = { ...images.black, tokenIds: Int32Array.of(3, mark, 5, mark, 7) };
    const features = [{ key: "data with images", feature: "images" } as const];
    const { refused } = await inspected({}, { features, images: { black: tiled, white: tiled } });
    expect(refused).toEqual([
      "data with images: this model cuts images into tiles, which the Tinker API has no form for",
    ]);
  });

  test("the library opens a server's engine, and says beforehand what it cannot be asked for", async () => {
    const server = await startFakeServer({});
    started.push(server);
    const on = { server: { url: server.url } };
    await expect(openEngine(folder, { ...on, freeze: ["vision"] })).rejects.toThrow(/lora: servers train.*freeze: /);
    const { engine } = await openEngine(folder, {
      ...on,
      lora: { r: 8, lora_alpha: 32, target_modules: "all-linear" },
    });
    const scoring = { temperature: 1, topP: 1, topK: 0 };
    const sampling = { ...scoring, numGenerations: 2, maxCompletionLength: 4, seed: 1, step: 0 };
    const drawn = engine.policy.sample([{ text: "", tokenIds: Int32Array.of(3, 4), images: [] }], sampling);
    for await (const { completions } of drawn)
      expect(completions.map(({ tokenIds }) => tokenIds.length > 0)).toEqual([true, true]);
    await engine.close();
  });

  const decaying = { ...demands, features: [{ key: "stages.0.weight_decay: 0.1", feature: "weight_decay" } as const] };
  test.each<[string, Ways, boolean]>([
    ["read", {}, true],
    ["not read", { ignores: ["weight_decay"] }, false],
  ])("weight decay that is asked for: %s", async (_, ways, weight_decay) => {
    const { record, refused } = await inspected(ways, decaying);
    expect(record).toMatchObject({ honours: { ...plain.honours, weight_decay } });
    expect(refused).toEqual([]);
  });

  test("weight decay that reaches other models is refused, and tried out on nobody unless it is asked for", async () => {
    const { refused } = await inspected({ decaysAll: true }, decaying);
    expect(refused).toEqual([expect.stringMatching(/^stages\.0\.weight_decay: 0\.1: .*all its models/)]);
    const { server, refused: none } = await inspected({ decaysAll: true });
    expect(none).toEqual([]);
    const steps = server.bodies["optim_step"]! as readonly {
      readonly adam_params: { readonly weight_decay: number };
    }[];
    expect(steps.map(({ adam_params }) => adam_params.weight_decay).filter((decay) => decay !== 0)).toEqual([]);
  });
});
