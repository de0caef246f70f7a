import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { readStopFile } from "./stop-file.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-stop-"));
afterAll(() => rmSync(folder, { recursive: true }));

const path = join(folder, "stop.json");
const written = { stop: "options", threshold: 0.9, min_sentences: 2, score: "min", max_loss: 1, full: {} };

it("reads how thoughts end from a file of viva calibrate", () => {
  writeFileSync(path, JSON.stringify(written));
  expect(readStopFile(path)).toEqual({ stop: "options", threshold: 0.9, minSentences: 2, score: "min" });
});

it("refuses a file without a threshold, any other file, and none, in one sentence", () => {
  writeFileSync(path, JSON.stringify({ ...written, threshold: null }));
  expect(() => readStopFile(path)).toThrow("leave --stop out");
  writeFileSync(path, JSON.stringify({ ...written, stop: "never" }));
  expect(() => readStopFile(path)).toThrow("no file that viva calibrate wrote");
  expect(() => readStopFile(join(folder, "none.json"))).toThrow("none.json");
});
