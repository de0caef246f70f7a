import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import { checkImages } from "./images.ts";
import { datasetSummary, datasets, formatDatasetSummary, loadDataset } from "./index.ts";

const shared = resolve(fileURLToPath(import.meta.url), "../../../../shared/data");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "viva-data-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function write(name: string, ...lines: readonly unknown[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
  return path;
}

const row = { image: "a.png", question: "Is it clear?", answer: "Yes" };

async function failure(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as UserError).message;
}

describe("loadDataset", () => {
  it("says what is wrong with name, path, split and limit", async () => {
    expect(await failure(loadDataset({ name: "slakes" }))).toMatch(
      /unknown dataset "slakes" \(did you mean "slake"\?\)/,
    );
    expect(await failure(loadDataset({ name: "phantom", own: { difficulty: 0 } }))).toMatch(
      /unknown option "difficulty"; it has none of its own/,
    );
    expect(await failure(loadDataset({ name: "slake" }))).toMatch(/needs a path. To get the data: download Slake1.0/);
    expect(await failure(loadDataset({ name: "vqa_rad", path: "/no/where" }))).toMatch(
      /\/no\/where does not exist. To get the data: download/,
    );
    expect(await failure(loadDataset({ name: "vqa_rad", path: folder }))).toMatch(
      /none of trainset.json, testset.json/,
    );
    await write("trainset.json", "[]");
    expect(await failure(loadDataset({ name: "vqa_rad", path: folder, split: "test" }))).toMatch(
      /no split "test" in .*; the splits there are train/,
    );
    expect(await failure(loadDataset({ name: "phantom", limit: 0 }))).toMatch(/limit must be a whole number above 0/);
  });

  it("finds missing images, and leaves their questions out where asked", async () => {
    await write("a.png", "");
    const path = await write("images.jsonl", row, { ...row, image: undefined, images: ["a.png", "gone.png"] });
    expect(await failure(loadDataset({ name: "jsonl", path }))).toMatch(
      /1 bad image: .*gone.png of "images.jsonl:2" \(no such file\)/,
    );
    expect(await loadDataset({ name: "jsonl", path, onBadImage: "skip" })).toHaveLength(1);
  });

  it("takes the first ones, or a seeded subset in file order", async () => {
    const path = await write("many.jsonl", ...Array.from({ length: 50 }, (_, i) => ({ ...row, id: i })));
    const ids = async (seed?: number) =>
      (await datasets.jsonl.load({ path, limit: 5, ...(seed === undefined ? {} : { seed }) })).map(({ id }) => +id);
    expect(await ids()).toEqual([0, 1, 2, 3, 4]);
    const chosen = await ids(1);
    expect(chosen).toEqual(chosen.toSorted((a, b) => a - b));
    expect(chosen).toEqual(await ids(1));
    expect(chosen).not.toEqual(await ids(2));
  });
});

describe("jsonl", () => {
  it("reads rows of every kind", async () => {
    const path = await write(
      "kinds.jsonl",
      "\ufeff" + JSON.stringify({ ...row, subject: 12, rationale: "Clear.", ward: "B4", meta: { organ: "chest" } }),
      "",
      { images: ["a.png", "b.png"], question: "Which?", answer: "b", choices: { B: "right", A: "left" } },
      { image: "a.png", question: "How many?", answer: 2 },
      { image: "a.png", question: "Left or right?", answer: "left", answer_type: "CLOSED" },
    );
    const [closed, choice, open, other] = await datasets.jsonl.load({ path });
    expect(closed).toMatchObject({ id: "kinds.jsonl:1", subjectId: "12", answerType: "closed", rationale: "Clear." });
    expect(closed!.meta).toEqual({ split: "all", ward: "B4", organ: "chest" });
    expect(closed!.images).toEqual([{ path: join(folder, "a.png") }]);
    expect(choice).toMatchObject({ answerType: "choice", choices: ["left", "right"], answer: "right" });
    expect(open).toMatchObject({ answerType: "open", answer: "2", subjectId: "a.png" });
    expect(other!.answerType).toBe("closed");
  });

  it("selects splits by file or by field", async () => {
    const sub = await mkdtemp(join(folder, "splits-"));
    await writeFile(join(sub, "train.jsonl"), JSON.stringify(row));
    await writeFile(join(sub, "val.jsonl"), JSON.stringify({ ...row, id: "v" }));
    expect((await datasets.jsonl.load({ path: sub, split: "validation" }))[0]!.id).toBe("v");
    expect(await failure(datasets.jsonl.load({ path: sub, split: "test" }))).toMatch(/splits there are .*validation/);
    const file = await write("fields.jsonl", { ...row, split: "train" }, { ...row, id: "t", split: "test" });
    expect((await datasets.jsonl.load({ path: file, split: "test" })).map(({ id }) => id)).toEqual(["t"]);
    expect(await failure(datasets.jsonl.load({ path: file, split: "val" }))).toMatch(/splits there are train, test/);
  });

  it("keeps which option is right by its index", async () => {
    const path = await write(
      "index.jsonl",
      { ...row, answer: "PR-", choices: ["PR+", "PR-"] },
      { ...row, answer: "b", choices: ["PR+", "PR-"] },
      { ...row, answer: "Bb", choices: ["BB", "Bb", "bb"] },
      { ...row, answer: 3, choices: ["three", 3] },
    );
    const examples = await datasets.jsonl.load({ path });
    expect(examples.map(({ answer, answerIndex }) => [answer, answerIndex])).toEqual([
      ["PR-", 1],
      ["PR-", 1],
      ["Bb", 1],
      ["3", 1],
    ]);
  });

  it.each<[string, unknown, RegExp]>([
    ["no JSON", "{", /bad.jsonl:2: not a JSON object/],
    ["no object", "[1]", /bad.jsonl:2: expected a mapping, got a list/],
    ["empty answer", { ...row, answer: " " }, /bad.jsonl:2: the answer is empty/],
    ["no answer", { image: "a.png", question: "?" }, /bad.jsonl:2: field "answer"/],
    ["empty question", { ...row, question: "" }, /bad.jsonl:2: the question is empty/],
    ["no image", { question: "?", answer: "x" }, /bad.jsonl:2: needs "image" or "images"/],
    ["answer no option", { ...row, choices: ["a b", "c d"] }, /bad.jsonl:2: the answer "Yes" must be one of/],
    ["one option", { ...row, choices: ["Yes"] }, /bad.jsonl:2: "choices" must hold 2 to 26 options/],
    [
      "equal options",
      { ...row, answer: "C", choices: ["a b", "c d", "a  b"] },
      /bad.jsonl:2: options A and C are both "a {2}b"/,
    ],
    [
      "a gap",
      { ...row, answer: "x", choices: { A: "x", C: "y" } },
      /letters of "choices" must be A, B, C, … without a gap, got A, C/,
    ],
    ["two answers", { ...row, answer: "AB", choices: ["Ab", "aB"] }, /the answer "AB" must be one of/],
    ["wrong type", { ...row, answer_type: "essay" }, /bad.jsonl:2: answer type must be/],
    ["same id", { ...row, id: "bad.jsonl:1" }, /the id "bad.jsonl:1" occurs twice/],
  ])("names file and line: %s", async (_, bad, message) => {
    const path = await write("bad.jsonl", row, bad);
    expect(await failure(datasets.jsonl.load({ path }))).toMatch(message);
  });
});

describe("the shared sets", () => {
  const known = (examples: readonly Example[]) => {
    for (const { answer, question, subjectId } of examples) {
      expect(answer.trim() !== "" && answer.trim() === answer && question !== "" && subjectId !== "").toBe(true);
    }
    return examples.length;
  };

  it.skipIf(!existsSync(join(shared, "vqa_rad")))("VQA-RAD has 3,064 training rows (skipped without it)", async () => {
    const train = await loadDataset({ name: "vqa_rad", path: join(shared, "vqa_rad"), split: "train" });
    expect(known(train)).toBe(3064);
    const summary = datasetSummary(train);
    expect(summary.answerTypes).toEqual([
      ["closed", 1823],
      ["open", 1241],
    ]);
    expect(train.filter((example) => example.answer === "12")).toHaveLength(4);
    expect(summary.strata.question_type!.map(([type]) => type)).not.toContain("PRSE");
    expect(summary.images).toBe(summary.subjects);
    expect(formatDatasetSummary(summary)).toMatch(/^3064 questions, \d+ images/);
  });

  it.skipIf(!existsSync(join(shared, "slake")))("SLAKE's splits share no image (skipped without it)", async () => {
    const path = join(shared, "slake");
    const [train, validation, test] = await Promise.all(
      ["train", "validate", "test"].map((split) => loadDataset({ name: "slake", path, split })),
    );
    expect([known(train!), known(validation!), known(test!)]).toEqual([4644, 1004, 1026]);
    const subjects = [train!, validation!, test!].map((split) => new Set(split.map((example) => example.subjectId)));
    const all = [...train!, ...validation!, ...test!];
    expect(new Set(all.map((example) => example.subjectId)).size).toBe(
      subjects.reduce((sum, set) => sum + set.size, 0),
    );
    expect(train![0]!.meta).toMatchObject({
      content_type: "Modality",
      modality: "CT",
      location: "Lung",
      base_type: "vqa",
    });
    expect(await checkImages(train!)).toEqual([]);
  });
});
