import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { runOf } from "./model-folder.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-run-of-"));
afterAll(() => rmSync(folder, { recursive: true }));

it("takes a folder for part of a run only where it is one of its checkpoints", () => {
  for (const path of ["models/own", "runs/mine/checkpoints/step-000004", "runs/mine/exported/merged"]) {
    mkdirSync(join(folder, path), { recursive: true });
  }
  writeFileSync(join(folder, "recipe.yaml"), "name: of-the-user\n"); // as viva init writes it
  const run = join(folder, "runs/mine");
  writeFileSync(join(run, "recipe.yaml"), "name: of-the-run\n");
  expect(runOf(run)).toBe(run);
  expect(runOf(join(run, "checkpoints/step-000004"))).toBe(run);
  expect(runOf(join(run, "exported/merged"))).toBe(null);
  expect(runOf(join(folder, "models/own"))).toBe(null);
});
