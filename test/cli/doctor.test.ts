/** viva doctor through the command line: the JSON that scripts read, with figures that can be, and the text. */

import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { devices } from "../../src/core/device.ts";
import { filesBelow, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { refusals, set } from "./mistakes.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

it("prints what scripts read", async () => {
  const folder = temporaryFolder();
  const started = performance.now();
  const { stdout } = await vivaOk(folder, "doctor", "--json");
  expect(performance.now() - started).toBeLessThan(40_000); // 6 s on two free cores
  const found = JSON.parse(stdout);
  expect(found.node).toBe(process.version);
  expect(found.platform).toContain(process.arch);
  for (const name of ["viva-rl", "onnxruntime-node", "sharp", "@huggingface/tokenizers", "libvips"]) {
    expect(found.versions[name], name).toMatch(/^\d+\.\d+/);
  }
  expect(found.cpu.usable_cores).toBeGreaterThanOrEqual(1);
  expect(found.cpu.logical_cores).toBeGreaterThanOrEqual(found.cpu.physical_cores ?? 1);
  expect(found.memory.free_gb).toBeGreaterThan(0);
  expect(found.memory.total_gb).toBeGreaterThanOrEqual(found.memory.free_gb);
  expect(found.cache.free_gb).toBeGreaterThan(0);
  expect(found.devices.map(({ device }: { device: string }) => device)).toEqual(devices);
  expect(found.devices[0].works).toBe(true);
  for (const key of ["matmul_gflops", "matmul_packed_gflops", "matmul_int8_gops", "memory_gb_per_second"]) {
    const { low, median, high, best } = found.speed[key];
    expect(low, key).toBeGreaterThan(0.05);
    expect([low, median, high, best]).toEqual([low, median, high, best].sort((a, b) => a - b));
    expect(best, key).toBeLessThan(1e6);
  }
  for (const way of ["one", "short", "spinning"]) {
    expect(found.speed.threads_ms[way], way).toBeGreaterThan(0.01);
    expect(found.speed.threads_ms[way], way).toBeLessThan(10_000);
  }
});

it("prints a line for each device and each speed", async () => {
  const { stdout } = await vivaOk(temporaryFolder(), "doctor");
  for (const device of devices) expect(stdout).toMatch(new RegExp(`^device ${device} +\\S`, "m"));
  for (const name of ["cores", "memory", "cache", "matmul", "memory read", "threads"]) {
    expect(stdout).toMatch(new RegExp(`^${name} +\\S`, "m"));
  }
});

it("an unknown device is a mistake", async () => {
  const folder = temporaryFolder();
  const unknown = await viva(folder, "generate", ".", "--rows", "r.jsonl", "--out", "o.jsonl", "--device", "tpu");
  expect(unknown.code).toBe(2);
  expect(unknown.stderr).toContain("Allowed choices are cpu, webgpu, cuda, coreml, dml");
});

describe("viva doctor --recipe", () => {
  const folder = temporaryFolder();
  const json = async (...changes: readonly string[]) => {
    const { stdout } = await vivaOk(folder, "doctor", "--recipe", "tiny.yaml", "--json", ...set(...changes));
    return JSON.parse(stdout);
  };
  // Weights of 200 GB; only the configuration is here.
  const vast = { intermediate_size: 2 ** 24, num_hidden_layers: 16, max_window_layers: 16 };

  beforeAll(async () => {
    const data = await writeFilms(join(folder, "films"));
    writeRecipe(join(folder, "tiny.yaml"), tinyRecipe({ model: writeTinyModel(join(folder, "model")), data }));
    writeTinyModel(join(folder, "vast"), vast);
  });

  it("foretells what the pre-flight of training does, and measures nothing", async () => {
    const before = filesBelow(folder);
    const found = await json();
    expect(found).toMatchObject({ recipe: "tiny", fits: true, changes: [], together_gb: null });
    const { stdout } = await vivaOk(folder, "train", "tiny.yaml", "--preflight-only", "--json");
    const { memory } = JSON.parse(stdout.trim().split("\n").at(-1)!);
    expect(found.total_gb).toBeCloseTo(memory.total / 1e9, 9);
    expect(Object.keys(found.parts_gb)).toEqual(Object.keys(memory.parts));
    expect(found.largest_step.num_generations * found.largest_step.prompts).toBeGreaterThan(1);
    expect(found.available_gb).toBeGreaterThanOrEqual(found.free_gb);
    expect(found.speed).toBeUndefined();
    expect(filesBelow(folder)).toEqual(before);
  });

  it("says what to change where the run does not fit, and that it does not", async () => {
    const found = await json("model.path=vast");
    expect(found.fits).toBe(false);
    expect(found.total_gb).toBeGreaterThan(found.available_gb);
    const lora = found.changes.find(({ change }: { change: string }) => change === "model.lora: {}");
    expect(lora.total_gb).toBeLessThan(found.total_gb);
    expect(found.together_gb).toBeLessThanOrEqual(found.changes[0].total_gb);
    const { stdout } = await vivaOk(folder, "doctor", "--recipe", "tiny.yaml", ...set("model.path=vast"));
    expect(stdout).toMatch(/^memory +at most about \d+ GB$/m);
    expect(stdout).toMatch(/^ {2}moments +\d+ GB$/m);
    expect(stdout).toMatch(/^this machine .*: it does not fit$/m);
    expect(stdout).toMatch(/^what helps +\S.*: \d+ GB, does not fit$/m);
  });

  it("tells mistakes as training does", async () => {
    const refused = refusals(join(folder, "refused"));
    await refused(/--set needs --recipe/, "doctor", ...set("seed=1"));
    await refused(/nowhere\.yaml: no such recipe/, "doctor", "--recipe", "nowhere.yaml");
    const gone = set(`model.path=${join(folder, "gone")}`);
    await refused(/gone/, "doctor", "--recipe", join(folder, "tiny.yaml"), ...gone);
  });
});
