/** viva bench step: one JSON object with the fields that scripts read, and times that add up. */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { temporaryFolder, vivaApart, vivaOk } from "./command-line.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeRows, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();

beforeAll(async () => {
  await writeFilms(join(folder, "films"));
  const recipe = tinyRecipe({ model: writeTinyModel(join(folder, "model")), data: join(folder, "films") });
  writeRecipe(join(folder, "tiny.yaml"), recipe);
  await vivaOk(folder, "train", "tiny.yaml", "--run", "run", "--quiet", "--no-report", "--set", "evaluate=null");
  cpSync(join(folder, "run/checkpoints/step-000008"), join(folder, "checkpoint"), { recursive: true });
  writeRows(join(folder, "rows.jsonl"), [{ image: "films/images/2.jpg", question: "Is the film bright?" }]);
});

it.each([[], ["--lora"]])("times steps %s", async (...flags) => {
  const sizes = ["--steps", "2", "--prompts-per-step", "2", "--num-generations", "2", "--max-completion-length", "5"];
  // The most memory is that of the whole process.
  const args = ["bench", "step", "checkpoint", "--rows", "rows.jsonl", ...sizes, ...flags];
  const { code, stdout, stderr } = await vivaApart(folder, ...args);
  expect(code, stderr).toBe(0);
  const result = JSON.parse(stdout);
  expect(result.step_seconds).toHaveLength(2);
  for (const [i, seconds] of result.step_seconds.entries()) {
    expect(seconds).toBeCloseTo(result.sample_seconds[i] + result.train_seconds[i], 9);
    expect(result.decode_seconds[i]).toBeGreaterThan(0);
    expect(result.sample_seconds[i]).toBeGreaterThan(result.decode_seconds[i]);
  }
  // A small run is mostly Node; from source Node also holds the TypeScript loader.
  expect(result.planned_gb / result.max_rss_gb).toBeGreaterThan(0.4);
  expect(result.planned_gb - result.max_rss_gb).toBeLessThan(0.12);
  const speeds = ["tokens_per_second", "matmul_peak_gflops", "train_gflops", "memory_gb_per_second"];
  for (const key of ["max_rss_gb", ...speeds, "decode_gflops", "decode_gb_per_second"]) {
    expect(result[key], key).toBeGreaterThan(0);
  }
  expect(result.train_gflops).toBeLessThan(result.matmul_peak_gflops);
  const shares = [
    result.decode_gflops / result.matmul_peak_gflops,
    result.decode_gb_per_second / result.memory_gb_per_second,
  ];
  expect(result.decode_limit_fraction).toBeCloseTo(Math.max(...shares), 9);
  expect(result.decode_limit_fraction).toBeLessThan(1);
});
