/** viva doctor through the command line: the JSON that scripts read, with figures that can be, and the text. */
import { expect, it } from "vitest";
import { devices } from "../../src/core/device.ts";
import { temporaryFolder, viva, vivaOk } from "./command-line.ts";

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
