/** On a device merged weights are given free only once nobody computes with them. */
import { expect, test } from "vitest";
import { goldenCase } from "../../../test/parity/golden.ts";
import { float32, type TensorData } from "../../core/tensor-data.ts";
import { openModel } from "../../models/index.ts";
import { LORA_A, LORA_B, LORA_SCALING } from "../../nn/lora.ts";
import type { Compute } from "./compute.ts";
import { MergedModel } from "./merged-model.ts";

const model = openModel(goldenCase("grouped_tied").checkpoint);
const layer = "model.layers.0.self_attn.q_proj";
const names = [...Object.keys(model.weights), ...[LORA_A, LORA_B, LORA_SCALING].map((name) => `${layer}.${name}`)];
const values = Object.fromEntries(names.map((name) => [name, float32([1], [0])]));

/** Where a device would be: every merge is a new array, and what is released is written down. */
function onDevice() {
  const released: TensorData[] = [];
  const session = { run: async () => ({ "y.0": float32([1], [1]) }) };
  const compute = {
    ...{ model, session: async () => session },
    arrays: { memory: {}, release: (given: Iterable<TensorData>) => released.push(...given) },
  } as unknown as Compute;
  return { merged: new MergedModel(compute), released };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("what is lent stays until everybody has ended, what is not goes at once", async () => {
  const { merged, released } = onDevice();
  const [one, two] = [merged.lend(values), merged.lend(values)];
  const sum = (await one.values)[`${layer}.weight`]!;
  expect((await two.values)[`${layer}.weight`]).toBe(sum);
  merged.forget();
  one.end();
  await settled();
  expect(released).toEqual([]);
  const anew = (await merged.values(values))[`${layer}.weight`]!;
  expect(anew).not.toBe(sum);
  two.end();
  await settled();
  expect(released).toEqual([sum]);
  merged.forget();
  await settled();
  expect(released).toEqual([sum, anew]);
});

test("weights forgotten while they are merged are given free afterwards", async () => {
  const { merged, released } = onDevice();
  const first = merged.values(values);
  merged.forget();
  expect(released).toEqual([]);
  const sum = (await first)[`${layer}.weight`]!;
  await settled();
  expect(released).toEqual([sum]);
});
