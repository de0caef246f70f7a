/** What a data file must not leave to chance: fields, encodings, keys, numbers, splits and parts of splits. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { UserError } from "../core/errors.ts";
import { datasets } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-rows-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

async function failure(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => expect.unreachable("it was read"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as UserError).message;
}

const row = { image: "a.png", question: "Is it clear?", answer: "yes" };
const { answer: _, ...unanswered } = row;
let files = 0;
const load = (content: string | Uint8Array) => datasets.jsonl.load({ path: write(`${files++}.jsonl`, content) });

describe("a JSONL row", () => {
  it.each<[string, object, string]>([
    ["options", { ...row, options: ["yes", "no"] }, 'the field "options" is not read: did you mean "choices"?'],
    ["options by their letters", { ...row, A: "yes", B: "no" }, 'the field "A" is not read: did you mean "choices"?'],
    ["options in fields", { ...row, option_a: "yes", option_b: "no" }, 'the field "option_a" is not read'],
    ["a misspelt field", { ...row, choises: ["yes", "no"] }, 'did you mean "choices"?'],
    ["a patient", { ...row, patient_id: 7 }, 'did you mean "subject"?'],
    ["another case", { ...row, Answer: "no" }, 'the field "Answer" is not read: did you mean "answer"?'],
    ["answers", { ...unanswered, answers: "yes" }, 'did you mean "answer"?'],
    ["img", { img: "a.png", question: "q", answer: "yes" }, 'did you mean "image"?'],
    ["image_path", { image_path: "a.png", question: "q", answer: "yes" }, 'did you mean "image"?'],
    ["answerType", { ...row, answerType: "open" }, 'did you mean "answer_type"?'],
    ["image beside images", { ...row, images: ["b.png"] }, 'has both "image" and "images"'],
    ["an empty path", { ...row, image: " " }, "the path of an image is empty"],
    ["an answer of null", { ...row, answer: null }, 'field "answer"'],
    [
      "options that are a text",
      { ...row, choices: "left|right" },
      'in a table the JSON of a list, as ["left", "right"]',
    ],
    ["facts that are a text", { ...row, facts: "a nodule" }, '"facts" must be a mapping, or the JSON of one'],
    ["options in numbered fields", { ...row, option1: "yes", option2: "no" }, 'did you mean "choices"?'],
    ["options in fields with a gap", { ...row, opb: "yes", opd: "no" }, 'did you mean "choices"?'],
    ["a list of options", { ...row, option_list: ["yes", "no"] }, 'did you mean "choices"?'],
    ["correct_answer", { ...unanswered, correct_answer: "yes" }, 'did you mean "answer"?'],
    ["file_name", { file_name: "a.png", question: "q", answer: "yes" }, 'did you mean "image"?'],
    ["a subject without a name", { ...row, subject: " " }, "the subject is empty"],
    ["an id without a name", { ...row, id: "" }, "the id is empty"],
    ["a missing value as pandas writes it", { ...row, answer: "nan" }, "which programs write for a missing value"],
    ["an address", { ...row, image: "https://host/a.png" }, "nothing is downloaded"],
    ["an image as base64", { ...row, image: "data:image/png;base64,AAAA" }, "its content as base64"],
    [
      "labels in another order",
      { ...row, answer: "A", choices: ["B) yes", "A) no"] },
      "the options are labelled B, A: put them in the order",
    ],
    ["a decimal comma", { ...row, answer: "2,5 cm", answer_type: "numeric" }, "without commas or powers"],
    ["a power", { ...row, answer: "2e5", answer_type: "numeric" }, "without commas or powers"],
  ])("with %s is refused", async (_, bad, message) => {
    expect(await failure(load(JSON.stringify(bad)))).toContain(message);
  });

  it.each([
    ["(b)", 1],
    ["B.", 1],
    ["b: right  lung", 1],
    ["Left Lung", 0],
  ])("with the answer %j has option %i", async (answer, index) => {
    const [example] = await load(JSON.stringify({ ...row, answer, choices: ["left lung", "right lung"] }));
    expect(example).toMatchObject({ answerIndex: index });
    const labelled = { ...row, answer, choices: ["A: left lung", "B: right lung"] };
    const [plain] = await load(JSON.stringify(labelled));
    expect(plain).toMatchObject({ answerIndex: index, choices: ["left lung", "right lung"] });
    expect(await failure(load(JSON.stringify({ ...labelled, answer: "B. left lung" })))).toContain("must be one of");
  });

  it("of a table says its split where others do, and names no subject by blanks", async () => {
    const rows = (first: object, second: object) =>
      [first, second].map((one) => JSON.stringify({ ...row, ...one })).join("\n");
    expect(await failure(load(rows({ split: "train" }, { id: "q2" })))).toMatch(/"q2" in .* has no field "split"/);
    const [one, two] = await load(rows({ subject: "M\u00fcller ", answer: "True" }, { subject: "Mu\u0308ller" }));
    expect(one!.subjectId).toBe(two!.subjectId);
    expect(one!.answerType).toBe("closed");
  });

  it("reads facts, as a mapping or its JSON, beside the patient's table", async () => {
    const facts = { modality: "x-ray", findings: [{ finding: "nodule", side: null }] };
    const known = { modality: "x-ray", findings: [{ finding: "nodule" }] };
    const [written] = await load(JSON.stringify({ ...row, facts, table: { age: 40 } }));
    expect([written!.facts, written!.meta]).toEqual([{ ...known, table: { age: 40 } }, { split: "all" }]);
    const [text] = await load(JSON.stringify({ ...row, facts: JSON.stringify(facts) }));
    expect(text!.facts).toEqual(known);
  });

  it("reads several right options and numbers with their target", async () => {
    const options = { ...row, choices: ["nodule", "opacity", "ascites"], answer_type: "multi" };
    const [letters] = await load(JSON.stringify({ ...options, answer: "ascites, A" }));
    expect(letters).toMatchObject({ answer: "A,C", answerType: "multi", choices: options.choices });
    const time = { ...row, answer: "14 months", answer_type: "numeric", tolerance: 2, event: false };
    const [survival] = await load(JSON.stringify(time));
    expect(survival!.target).toEqual({ value: 14, unit: "months", tolerance: 2, event: false });
    expect(await failure(load(JSON.stringify({ ...time, answer: "14 to 16" })))).toContain(
      '"14 to 16" must be a number',
    );
    expect(await failure(load(JSON.stringify({ ...options, answer: "A, liver" })))).toContain('"liver" must be one of');
    expect(await failure(load(JSON.stringify({ ...row, answer_type: "multi" })))).toContain('needs "choices"');
  });

  it("may have null in any optional field, and strata of other names", async () => {
    const optional = { id: null, images: null, answer_type: null, choices: null, rationale: null, subject: null };
    const more = { split: null, meta: null, question_type: "presence", modality: "CT", image_name: "a" };
    const [example] = await load(JSON.stringify({ ...row, ...optional, ...more }));
    expect(example).toMatchObject({ subjectId: "a.png", answerType: "closed", choices: [] });
    expect(example!.meta).toEqual({ split: "all", question_type: "presence", modality: "CT", image_name: "a" });
  });

  it.each<[string, string | Uint8Array, RegExp]>([
    [
      "a key twice",
      '{"image":"a.png","question":"q","answer":"yes","answer":"no"}',
      /:1: an object holds the key "answer" twice/,
    ],
    ["more digits than a number keeps", '{"id":1,"subject":9007199254740993}', /:1: 9007199254740993 has more digits/],
    ["Latin-1", Buffer.from(`{}\n${JSON.stringify({ ...row, question: "Größe?" })}`, "latin1"), /line 2 is not UTF-8/],
    ["UTF-16", Buffer.from(`\ufeff${JSON.stringify(row)}`, "utf16le"), /it is UTF-16: save the file as UTF-8/],
    ["UTF-16 without a mark", Buffer.from(JSON.stringify(row), "utf16le"), /it is UTF-16/],
  ])("with %s is refused", async (_, content, message) => {
    expect(await failure(load(content))).toMatch(message);
  });
});

describe("a folder", () => {
  it("has one file for a split", async () => {
    for (const name of ["val", "validation"]) write(`two/${name}.jsonl`, JSON.stringify(row));
    const path = join(folder, "two");
    expect(await failure(datasets.jsonl.load({ path, split: "validation" }))).toMatch(
      /val.jsonl and validation.jsonl in .* are both the split "validation"/,
    );
  });

  it("has no row that says it is of another split", async () => {
    write("other/train.jsonl", JSON.stringify({ ...row, id: "q", split: "test" }));
    const path = join(folder, "other");
    expect(await failure(datasets.jsonl.load({ path }))).toMatch(/"q" says split "test", and the file is .* "train"/);
  });

  it("has every part of a split of parquet files, once, from one upload", async () => {
    const golden = fileURLToPath(new URL("../../test/golden/datasets/path_vqa/data/", import.meta.url));
    const [first, second] = ["train-00000-of-00002-aa.parquet", "train-00001-of-00002-bb.parquet"] as const;
    const of = async (name: string, parts: Readonly<Record<string, string>>) => {
      const path = join(folder, name);
      for (const [to, from] of Object.entries(parts)) cpSync(join(golden, from), join(path, to), { recursive: true });
      return failure(datasets.path_vqa.load({ path }));
    };
    expect(await of("missing", { [`data/${second}`]: second })).toMatch(/has 1 of its 2 files, .*: 0 missing/);
    expect(await of("twice", { [first]: first, [second]: second, [`data/${first}`]: first })).toMatch(
      /has part 0 of 2 twice/,
    );
    expect(await of("mixed", { [first]: first, [second]: second, "train-00000-of-00001.parquet": first })).toMatch(
      /mixes files of 1 with files of 2/,
    );
  });

  it("of other tools' files has every part too, in one format and under one name", async () => {
    const csv = "image,question,answer\na.png,Is it clear?,yes\n";
    const of = (name: string, names: readonly string[]) => {
      for (const each of names) write(`${name}/${each}`, each.endsWith(".csv") ? csv : JSON.stringify(row));
      return failure(datasets.files.load({ path: join(folder, name), split: "train" }));
    };
    const parts = (...numbers: readonly number[]) => numbers.map((i) => `train-0000${i}-of-00003.csv`);
    expect(await of("part", parts(0, 2))).toMatch(/has 2 of its 3 files, numbered from 0: 1 missing/);
    expect(await of("copies", [...parts(0, 1, 2), "train-00001-of-00003 (1).csv"])).toMatch(/part 1 of 3 twice/);
    expect(await of("whole", [...parts(0, 1, 2), "train.csv"])).toMatch(/mixes files of 3 with another/);
    expect(await of("formats", ["train.csv", "train.jsonl"])).toMatch(/train.jsonl and .*train.csv are both/);
    expect(await of("names", ["training.csv", "train.csv", "val.csv", "validation.csv"])).toMatch(
      /val.csv and .*validation.csv/,
    );
  });

  it("of PMC-VQA names a column once", async () => {
    write("pmc/test_clean.csv", "Figure_path,Question,Answer,Answer\nf.jpg,What?,A,B\n");
    const path = join(folder, "pmc");
    expect(await failure(datasets.pmc_vqa.load({ path, split: "test" }))).toMatch(/names the column "Answer" twice/);
  });
});
