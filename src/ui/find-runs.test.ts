import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { findRuns } from "./find-runs.ts";

const root = mkdtempSync(join(tmpdir(), "viva-find-runs-"));
afterAll(() => rmSync(root, { recursive: true }));

it("finds the runs below a folder with a recipe and a study of the user's own, and a run or study that is itself the root", () => {
  const run = join(root, "runs/mine");
  mkdirSync(run, { recursive: true });
  for (const name of ["recipe.yaml", "study.yaml"]) writeFileSync(join(root, name), "name: of-the-user\n");
  for (const name of ["recipe.yaml", "events.jsonl"]) writeFileSync(join(run, name), "");
  expect(findRuns([root]).runs).toMatchObject([{ folder: run, study: null }]);
  expect(findRuns([root]).studies).toEqual([]);
  expect(findRuns([run]).runs).toMatchObject([{ folder: run }]);
  writeFileSync(join(root, "journal.jsonl"), "");
  rmSync(join(root, "recipe.yaml"));
  expect(findRuns([root]).studies).toMatchObject([{ folder: root }]);
});
