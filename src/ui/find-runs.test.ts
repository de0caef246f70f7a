import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { findRuns } from "./find-runs.ts";

const root = mkdtempSync(join(tmpdir(), "viva-find-runs-"));
afterAll(() => rmSync(root, { recursive: true }));

it("finds the runs below a folder that has a recipe of the user's own, and a run that is itself the root", () => {
  const run = join(root, "runs/mine");
  mkdirSync(run, { recursive: true });
  writeFileSync(join(root, "recipe.yaml"), "name: of-the-user\n");
  for (const name of ["recipe.yaml", "events.jsonl"]) writeFileSync(join(run, name), "");
  expect(findRuns([root]).runs.map(({ folder }) => folder)).toEqual([run]);
  expect(findRuns([run]).runs.map(({ folder }) => folder)).toEqual([run]);
});
