/** A data set from a module: its examples, and one sentence for each mistake. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadDataset } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-module-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
function written(text: string): string {
  const file = join(folder, `data-${count++}.mjs`);
  writeFileSync(file, text);
  return file;
}

const example = (id: string) =>
  `({ id: "${id}", subjectId: "s", question: "Is it?", images: [{ path: "a", pixels: { width: 1, height: 1, channels: 1, data: new Uint8Array(1) } }], answer: "yes", answerType: "closed", choices: [], meta: { from: o.split + o.seed } })`;

test("gives the examples of the split that was asked for", async () => {
  const path = written(`export default async (o) => [${example("a")}, ${example("b")}, ${example("c")}];`);
  const examples = await loadDataset({ name: "module", path, split: "val", seed: 5, limit: 2 });
  expect(examples.map(({ id, meta }) => [id, meta])).toEqual([
    ["a", { from: "validation5", split: "validation" }],
    ["b", { from: "validation5", split: "validation" }],
  ]);
});

test.each([
  ["const x = 1;", "exports neither a function as default nor one called load"],
  ["export const load = () => 5;", "must give a list of examples, got number"],
  ["export default () => { throw new Error('no disk'); };", "no disk (line 1)"],
  [`export default (o) => [${example("a")}, ${example("a")}];`, 'the id "a" occurs twice'],
  [`export default (o) => [{ ...${example("a")}, answerType: "maybe" }];`, 'example 0: field "answerType"'],
])("says what is wrong with %s", async (text, message) => {
  await expect(loadDataset({ name: "module", path: written(text) })).rejects.toThrow(message);
});

test("names the file that is missing, or no module", async () => {
  await expect(loadDataset({ name: "module" })).rejects.toThrow("name the module's file");
  await expect(loadDataset({ name: "module", path: "/nowhere.ts" })).rejects.toThrow("/nowhere.ts: no such file");
  await expect(loadDataset({ name: "module", path: folder })).rejects.toThrow("must be a file ending in .ts");
});
