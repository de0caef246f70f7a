import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../core/errors.ts";
import type { Example } from "../core/records.ts";
import {
  type DataNotice,
  datasetSummary,
  datasets,
  findDataset,
  formatLeaks,
  imagePrints,
  leaksBetween,
  loadDataset,
  loadSplits,
} from "./index.ts";

const golden = (name: string) => fileURLToPath(new URL(`../../test/golden/datasets/${name}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "viva-layouts-"));
const before = process.env.VIVA_CACHE;
beforeAll(() => {
  process.env.VIVA_CACHE = join(folder, "cache");
});
afterAll(() => {
  if (before === undefined) delete process.env.VIVA_CACHE;
  else process.env.VIVA_CACHE = before;
  rmSync(folder, { recursive: true });
});

function write(name: string, content: string | object): void {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
}

async function failure(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as UserError).message;
}

describe("parquet files of the Hub", () => {
  it("VQA-RAD: yes and no are closed, one image is one subject and one file", async () => {
    const train = await loadDataset({ name: "vqa_rad", path: golden("vqa_rad") });
    expect(train.map(({ answerType }) => answerType)).toEqual(["closed", "open", "closed", "open", "closed", "closed"]);
    expect(train[0]!.images[0]!.path).toBe(train[1]!.images[0]!.path);
    expect(datasetSummary(train)).toMatchObject({ examples: 6, images: 5, subjects: 5 });
    expect(train[0]).toMatchObject({ id: "vqa_rad/train/1", question: "is there an effusion?", answer: "yes" });
  });

  it("PathVQA: several files make a split; a missing split is told", async () => {
    const load = (split: string) => loadDataset({ name: "path_vqa", path: golden("path_vqa"), split });
    expect((await load("train")).map(({ answer }) => answer)).toEqual(["cells", "no"]);
    expect(await load("val")).toHaveLength(1);
    expect(await failure(load("test"))).toMatch(/no split "test" in .*; the splits there are train, validation/);
    expect(await failure(loadDataset({ name: "path_vqa", path: golden("bad") }))).toMatch(
      /bad.data.train-00000-of-00001.parquet, row 1: field "answer"/,
    );
  });

  it("MMMU: options as Python writes them, several images, dev apart from validation, no answers in test", async () => {
    const load = (split: string) => datasets.mmmu_medical.load({ path: golden("mmmu"), split });
    const [choice, open] = await load("validation");
    expect(choice).toMatchObject({ answerType: "choice", choices: ["15%", "Crohn's disease", "it's none"] });
    expect(choice).toMatchObject({ answer: "Crohn's disease", meta: { subject: "Pharmacy" } });
    expect(choice!.images).toHaveLength(2);
    expect(open).toMatchObject({ answerType: "open", answer: "4.5", choices: [] });
    expect((await load("dev")).map(({ id }) => id)).toEqual(["mmmu_medical/dev_Pharmacy_1"]);
    expect(await failure(load("test"))).toMatch(/row 1: the answers of MMMU's test split are not public/);
  });
});

describe("PMC-VQA", () => {
  const header = "Figure_path,Question,Anwser,Choice A,Choice B,Choice C,Choice D";
  const load = () => datasets.pmc_vqa.load({ path: join(folder, "pmc"), split: "test" });

  it("takes the letter's option where options differ in a sign; rows with equal ones are left out and counted", async () => {
    write("pmc/images/PMC1_F1.jpg", "");
    const rows = [
      "PMC1_F1.jpg,Which?,D,A:PR+,B:PR-,C:ER+,D:ER-",
      "PMC1_F1.jpg,Which?,D,A:PR+,B:PR-,C:PR+,D:ER-",
      "PMC1_F1.jpg,Which?,PR+,A:PR+,B:PR-,C:PR+,D:ER-",
    ];
    write("pmc/test_clean.csv", [header, ...rows].join("\n"));
    expect(await load()).toMatchObject([{ id: "pmc_vqa/test/1", answer: "ER-", answerIndex: 3 }]);
    const notices: DataNotice[] = [];
    const path = join(folder, "pmc");
    const onNotice = (notice: DataNotice) => void notices.push(notice);
    await loadDataset({ name: "pmc_vqa", path, split: "test", limit: 1, onNotice });
    expect(notices).toEqual([
      {
        ...{ notice: "equal_options", count: 2, first: ["pmc_vqa/test/2", "pmc_vqa/test/3"] },
        message: "2 examples left out, two of whose options are the same text",
      },
    ]);
  });

  it.each([
    ["Choice_A", "Choice A"],
    ["figure_path", "Figure_path"],
    ["Questions", "Question"],
  ])("suggests a name for the column %s", async (given, meant) => {
    write("pmc/test_clean.csv", `${header.replace(meant, given)}\nPMC1_F1.jpg,Which?,D,a,b,c,d`);
    expect(await failure(load())).toMatch(
      `test_clean.csv:1: the column "${given}" is not read: did you mean "${meant}"? Rename it`,
    );
  });

  it("reads quoted fields, labelled options and answers by letter or text", async () => {
    write("pmc/images/PMC1_F1.jpg", "");
    const rows = [
      'PMC1_F1.jpg,"What, in ""A"",\nis shown?",B,A: CT ,B:MRI, C:PET,D: "x"',
      "PMC1_F1.jpg,Which?,PET,CT,MRI,PET,None",
    ];
    write("pmc/test_clean.csv", [header, rows[1], ""].join("\r\n"));
    expect(await load()).toMatchObject([
      { answer: "PET", choices: ["CT", "MRI", "PET", "None"], answerType: "choice" },
    ]);
    write("pmc/test_clean.csv", [header, rows[0]!.replace(' "x"', "None"), rows[1]].join("\n"));
    const [first, second] = await load();
    expect(first).toMatchObject({
      question: 'What, in "A",\nis shown?',
      answer: "MRI",
      answerIndex: 1,
      choices: ["CT", "MRI", "PET", "None"],
    });
    expect(second).toMatchObject({ id: "pmc_vqa/test/2", images: [{ path: join(folder, "pmc/images/PMC1_F1.jpg") }] });
  });

  it.each<[string, string, RegExp]>([
    ["too few fields", "a.jpg,Which?", /test_clean.csv:2: 2 fields, where the header has 7/],
    ["a wrong answer", "a.jpg,Which?,E,a,b,c,d", /:2: the answer "E" must be A to D/],
    ["an empty option", "a.jpg,Which?,A,a,b,,d", /:2: the Choice C is empty/],
    ["an open quote", 'a.jpg,"Which?,A,a,b,c,d', /:2: a quote is not closed/],
  ])("names file and line: %s", async (_, row, message) => {
    write("pmc/test_clean.csv", [header, row].join("\n"));
    expect(await failure(load())).toMatch(message);
  });
});

describe("OmniMedVQA and MedXpertQA-MM", () => {
  const omni = { dataset: "X", question_id: "X_1", question_type: "Anatomy", question: "What?", gt_answer: "Skin" };
  const row = { ...omni, image_path: "Images/X/1.png", option_A: "skin", option_B: "Bone", modality_type: "CT" };

  it("OmniMedVQA: two to four options by text", async () => {
    write("omni/QA_information/Open-access/X.json", [
      row,
      { ...row, question_id: "X_2", option_C: "Fat", gt_answer: "Fat" },
    ]);
    const [first, second] = await datasets.omnimedvqa.load({ path: join(folder, "omni"), split: "test" });
    expect(first).toMatchObject({ answer: "skin", choices: ["skin", "Bone"], meta: { modality: "CT", source: "X" } });
    expect(second!.choices).toHaveLength(3);
    write("omni/QA_information/Open-access/X.json", [row, { ...row, gt_answer: "Liver" }]);
    const wrong = datasets.omnimedvqa.load({ path: join(folder, "omni"), split: "test" });
    expect(await failure(wrong)).toMatch(/X.json, row 2: the answer "Liver" must be one of the options: skin \| Bone/);
  });

  it("MedXpertQA-MM: several images, options by letter, not repeated in the question", async () => {
    const expert = {
      id: "MM-1",
      question: "Which?\nAnswer Choices: (A) x (B) y",
      options: { B: "y", A: "x" },
      label: "B",
    };
    write("expert/MM/test.jsonl", JSON.stringify({ ...expert, images: ["a.jpeg", "b.jpeg"], body_system: "Skeletal" }));
    const [first] = await datasets.medxpertqa_mm.load({ path: join(folder, "expert"), split: "test" });
    expect(first).toMatchObject({ question: "Which?", answer: "y", choices: ["x", "y"], meta: { organ: "Skeletal" } });
    expect(first!.images.map(({ path }) => path)).toEqual(
      ["a.jpeg", "b.jpeg"].map((name) => join(folder, "expert/images", name)),
    );
    write("expert/MM/test.jsonl", `\n${JSON.stringify({ ...expert, images: ["a.jpeg"], label: "F" })}`);
    const wrong = datasets.medxpertqa_mm.load({ path: join(folder, "expert"), split: "test" });
    expect(await failure(wrong)).toMatch(/test.jsonl:2: the label "F" must be one of A, B/);
  });
});

describe("leaks", () => {
  const splitsOf = (name: string, path: string) => loadSplits(findDataset(name), { path });

  it("finds shared images and questions by content, as VQA-RAD's splits share them", async () => {
    const splits = await splitsOf("vqa_rad", golden("vqa_rad"));
    const leaks = leaksBetween(splits, await imagePrints([...splits.values()].flat()));
    expect(leaks).toMatchObject([
      { between: ["train", "test"], images: 2, sameFile: 2, sameLooks: 2, pairs: 1, subjects: 2 },
    ]);
    expect(formatLeaks(leaks)).toMatch(/^test shares with train: 2 subjects; of its 2 images 2 the same file/);
  });

  it("finds an image saved again smaller and lossy under another name, and no other", async () => {
    const source = (await loadDataset({ name: "vqa_rad", path: golden("vqa_rad") })).map(
      ({ images }) => images[0]!.path,
    );
    const seen = await sharp(source[0]!).resize(300, 300, { kernel: "cubic" }).png().toBuffer();
    const again = await sharp(seen).resize(180, 180).jpeg({ quality: 60 }).toBuffer();
    mkdirSync(join(folder, "looks"), { recursive: true });
    writeFileSync(join(folder, "looks/seen.png"), seen);
    writeFileSync(join(folder, "looks/again.jpg"), again);
    writeFileSync(join(folder, "looks/train.jsonl"), JSON.stringify({ image: "seen.png", question: "?", answer: "a" }));
    const rows = ["again.jpg", source[5]!].map((image) => JSON.stringify({ image, question: "?", answer: "a" }));
    writeFileSync(join(folder, "looks/test.jsonl"), rows.join("\n"));
    const splits = await splitsOf("jsonl", join(folder, "looks"));
    const [leak] = leaksBetween(splits, await imagePrints([...splits.values()].flat()));
    expect(leak).toMatchObject({ images: 2, sameFile: 0, sameLooks: 1, pairs: 1 });
  });

  it("an image-disjoint split shares nothing, keeps every question, and repeats itself", async () => {
    const load = (split: string) =>
      loadDataset({ name: "vqa_rad", path: golden("vqa_rad"), split, imageDisjoint: true });
    const [train, test] = [await load("train"), await load("test")];
    const ids = (examples: readonly Example[]) => examples.map(({ id }) => id).sort();
    expect(ids([...train, ...test])).toHaveLength(8);
    expect(new Set(ids([...train, ...test])).size).toBe(8);
    expect(test.length).toBeGreaterThan(0);
    const [leak] = leaksBetween(
      new Map([
        ["train", train],
        ["test", test],
      ]),
      await imagePrints([...train, ...test]),
    );
    expect(leak).toMatchObject({ subjects: 0, sameFile: 0, sameLooks: 0, pairs: 0 });
    expect(test[0]!.meta).toMatchObject({ split: "test", original_split: expect.any(String) });
    expect(ids(await load("test"))).toEqual(ids(test));
    expect(
      await failure(loadDataset({ name: "path_vqa", path: golden("path_vqa"), split: "test", imageDisjoint: true })),
    ).toMatch(/an image-disjoint split "test" needs that split and another; there are train, validation/);
  });
});
