/** Every family against transformers: hidden states of every layer, logits, loss and the gradient of every weight. */
import { describe, expect, test } from "vitest";
import { plainVariant } from "../../src/algorithms/algorithm.ts";
import { defaultLossNumbers } from "../../src/algorithms/index.ts";
import { plainScoring } from "../../src/engine/engine.ts";
import { Compute } from "../../src/engine/local/compute.ts";
import { forwardBackward } from "../../src/engine/local/forward-backward.ts";
import { languageFeeds } from "../../src/engine/local/language-feeds.ts";
import { runLanguage } from "../../src/engine/local/model-pass.ts";
import { layOut, packRows } from "../../src/engine/local/packing.ts";
import { logitsProgram, visionHeadPrograms } from "../../src/engine/local/programs.ts";
import { encodeImages, framesOf, headFeeds, runVision, visionFeeds } from "../../src/engine/local/vision-runner.ts";
import { readWeights, trainableNames, WeightStore } from "../../src/engine/local/weight-store.ts";
import { openModel } from "../../src/models/index.ts";
import { cases, goldenCase, gradientScale, largest, maxDifference } from "./golden.ts";

describe.each(cases)("%s", (name) => {
  const golden = goldenCase(name);
  const model = openModel(golden.checkpoint);
  const values = readWeights(model, golden.checkpoint);
  const compute = new Compute(model, 1);
  const { vision, language } = model;
  const group = {
    prompt: golden.prompt,
    completions: [{ tokenIds: golden.completion, weight: 1 / golden.completion.length, advantage: 0 }],
  };

  const saving = { trainable: new Set(Object.keys(model.weights)), budget: { bytes: 0 } };

  test("vision tower", async () => {
    const found: Float32Array[][] = [];
    for (const image of golden.prompt.images) {
      const { states } = await runVision(compute, values, visionFeeds(compute, framesOf(image)), saving);
      const head = { ...headFeeds(vision, states), ...values };
      const y = await compute.forward("vision.head", (trained) => visionHeadPrograms(model, trained), head);
      found.push([...states, y].map(({ data }) => data as Float32Array));
    }
    const keys = [...Array.from({ length: vision.depth + 1 }, (_, i) => `vision.hidden.${i}`), "vision.output"];
    for (const [i, key] of keys.entries()) {
      const all = found.flatMap((states) => Array.from(states[i]!));
      expect(maxDifference(all, golden.tensor(key).data), key).toBeLessThan(1e-4);
    }
  });

  test("language model", async () => {
    const encoded = await encodeImages(compute, values, golden.prompt.images);
    // One token more than training needs, to compute the golden's last position too.
    const completion = Int32Array.from([...golden.completion, 0]);
    const rows = packRows([{ ...group, completions: [{ ...group.completions[0]!, tokenIds: completion }] }], 4096);
    const micro = layOut(rows, language, model.imageTokenId, vision.patchesPerToken);
    expect([...micro.positions]).toEqual(golden.positions.flat());
    const { states } = await runLanguage(compute, values, languageFeeds(compute, micro, encoded), saving);
    for (const [i, { data }] of states.entries()) {
      const key = `language.hidden.${i}`;
      expect(maxDifference(data, golden.tensor(key).data), key).toBeLessThan(1e-4);
    }
    const session = await compute.session("logits", () => logitsProgram(model));
    const { logits } = await session.run({ x: states.at(-1)!, ...values });
    expect(maxDifference(logits!.data, golden.tensor("logits").data)).toBeLessThan(1e-4);
  });

  test.each([
    ["all activations saved", 1e9],
    ["activations of some blocks saved", 2e5],
    ["all recomputed", 0],
  ])("loss and gradients of every weight, %s", async (_, activationBytes) => {
    const store = new WeightStore(model, values, trainableNames(model, []));
    const result = await forwardBackward(
      compute,
      store,
      {
        groups: [group],
        scoring: plainScoring,
        loss: {
          name: "supervised",
          variant: plainVariant,
          numbers: defaultLossNumbers,
        },
      },
      { microBatchTokens: 4096, activationBytes },
    );
    expect(Math.abs(result.loss - golden.loss)).toBeLessThan(1e-4);
    const gradients = golden.names.filter((key) => key.startsWith("grad."));
    expect(gradients.map((key) => key.slice(5)).sort()).toEqual(Object.keys(model.weights).sort());
    const overall = Math.max(...gradients.map((key) => largest(golden.tensor(key).data)));
    for (const key of gradients) {
      const expected = golden.tensor(key).data;
      const found = store.gradient(key.slice(5))!;
      expect(maxDifference(found, expected) / gradientScale(key, largest(expected), overall), key).toBeLessThan(1e-3);
    }
  });
});
