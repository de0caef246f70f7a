/** Runs on webgpu through the command line: all weights, whose answers are those of the CPU, and adapters on an int8 base. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tryDevice } from "../../src/engine/local/devices.ts";
import { temporaryFolder, vivaOk } from "../cli/command-line.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "../cli/tiny-run.ts";
import { driverEnvironment } from "../devices/child.ts";

Object.assign(process.env, driverEnvironment); // of the commands
const { works, reason } = await tryDevice("webgpu");

test("train, adapters and eval on webgpu", async ({ skip }) => {
  if (!works) skip(`webgpu does not work here: ${reason}`);
  const folder = temporaryFolder();
  const [model, data] = [writeTinyModel(join(folder, "model")), await writeFilms(join(folder, "films"))];
  const { stages, ...recipe } = tinyRecipe({ model, data });
  const own = { ...recipe, engine: { device: "webgpu" }, evaluate: { every: null, at_start: false } };
  const [sft, grpo] = [
    { ...stages[0]!, steps: 1 },
    { ...stages[1]!, steps: 1, num_generations: 2, num_iterations: 1 },
  ];
  writeRecipe(join(folder, "full.yaml"), { ...own, stages: [sft] });
  await vivaOk(folder, "train", "full.yaml", "--run", "full");
  const adapted = {
    path: join(folder, "full/checkpoints/step-000001"),
    lora: { r: 2, lora_alpha: 4 },
    quantize_frozen: "int8",
  };
  writeRecipe(join(folder, "lora.yaml"), {
    ...own,
    model: adapted,
    stages: [sft, { ...grpo, steps_per_generation: 1 }],
  });
  await vivaOk(folder, "train", "lora.yaml", "--run", "lora");
  const rows = readFileSync(join(folder, "lora/metrics.jsonl"), "utf8").trim().split("\n");
  const { "device/bytes_to": to, "device/bytes_from": from } = JSON.parse(rows.at(-1)!);
  expect(Math.min(to, from)).toBeGreaterThan(0);
  const answers: string[][] = [];
  for (const device of ["webgpu", "cpu"]) {
    const questions = ["--data", "jsonl", "--path", data, "--split", "test"];
    await vivaOk(folder, "eval", "full", ...questions, "--device", device, "--out", `${device}.jsonl`);
    const items = readFileSync(join(folder, `${device}.jsonl`), "utf8")
      .trim()
      .split("\n");
    answers.push(items.map((row) => JSON.parse(row)).flatMap(({ prediction }) => prediction ?? []));
  }
  expect(answers[0]).toHaveLength(4);
  expect(answers[0]).toEqual(answers[1]);
}, 900_000);
