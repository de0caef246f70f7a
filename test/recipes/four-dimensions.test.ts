/** studies/four-dimensions.yaml is valid, and predicts something about every dimension that it has. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { loadStudy } from "../../src/study/load.ts";

// Only the model's folder is looked for here, so it needs no weights.
const folder = mkdtempSync(join(tmpdir(), "viva-four-dimensions-"));
afterAll(() => rmSync(folder, { recursive: true }));
for (const name of ["studies", "assets/viva-deep-instruct"]) mkdirSync(join(folder, name), { recursive: true });
const file = join(folder, "studies/four-dimensions.yaml");
copyFileSync(new URL("../../studies/four-dimensions.yaml", import.meta.url), file);

it("has five seeds, and a prediction in each of the four dimensions", () => {
  const { seeds, arms, predicts } = loadStudy(file, { quick: false });
  expect(seeds).toHaveLength(5);
  const predicted = new Set(predicts.flatMap(({ arm }) => arms.find(({ name }) => name === arm)!.dimensions));
  expect([...predicted].sort()).toEqual(["bias", "initialisation", "length", "semantic"]);
  expect(new Set(predicts.map(({ measure }) => measure)).size).toBeGreaterThan(4);
});
