import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { recordedHashes, requireRecorded } from "./recorded-hashes.ts";

const run = mkdtempSync(join(tmpdir(), "viva-hashes-"));
afterAll(() => rmSync(run, { recursive: true }));
const [a, b] = ["a".repeat(64), "b".repeat(64)] as const;

it("names everything that is another than a run recorded, and nothing that it did not", () => {
  writeFileSync(join(run, "recipe.yaml"), `# model_sha256: ${a}\n# stage_1_pairs_sha256: ${a}\n# note: x\nname: t\n`);
  expect(recordedHashes(run)).toEqual({ model_sha256: a, stage_1_pairs_sha256: a });
  const check = (hashes: Readonly<Record<string, string>>) => () => requireRecorded(run, hashes, "it cannot go on");
  expect(check({ model_sha256: a, train_sha256: b })).not.toThrow();
  expect(check({ model_sha256: b, stage_1_pairs_sha256: b })).toThrow(
    /the base model's files \(model.path\) \(model_sha256\) and the preference pairs or their images \(stage_1_pairs_sha256\) changed/,
  );
});
