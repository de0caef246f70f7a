import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { temporaryFolder, vivaOk } from "./command-line.ts";
import { readRecord } from "./record.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const model = join(folder, "model");
const data = join(folder, "films");

const record = (run: string) => readRecord(join(folder, run));

beforeAll(async () => {
  writeTinyModel(model);
  await writeFilms(data);
  writeRecipe(join(folder, "seven.yaml"), tinyRecipe({ model, data, seed: 7 }));
  await vivaOk(folder, "train", "seven.yaml", "--run", "first", "--no-report");
});

it("learns something, so that equal runs are worth comparing", () => {
  const { metrics, rollouts } = record("first");
  expect(metrics[3]!["loss"]).toBeLessThan(metrics[0]!["loss"] as number);
  expect(metrics.slice(4).some((line) => (line["optim/grad_norm"] as number) > 0)).toBe(true);
  expect(
    new Set(rollouts.flatMap(({ completions }) => completions.map(({ text }: { text: string }) => text))).size,
  ).toBeGreaterThan(1);
});

it("gives the same record for the same recipe and seed, the longest sample tried before the first step or not", async () => {
  await vivaOk(folder, "train", "seven.yaml", "--set", "engine.dry_step=true", "--run", "tried", "--no-report");
  expect(record("tried")).toEqual(record("first"));
});

it("gives another record for another seed", async () => {
  await vivaOk(folder, "train", "seven.yaml", "--set", "seed=8", "--run", "third", "--no-report");
  const [first, third] = [record("first"), record("third")];
  expect(third.metrics[0]!["loss"]).not.toBe(first.metrics[0]!["loss"]);
  expect(third.rollouts).not.toEqual(first.rollouts);
  expect(third.rollouts.map(({ example_id }) => example_id)).not.toEqual(
    first.rollouts.map(({ example_id }) => example_id),
  );
});
