/** Subjects in both training and evaluation data: an error in one's own data, until they are allowed. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, expect, it } from "vitest";
import { evaluate } from "../../src/library/evaluate-model.ts";
import { jsonLines, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const data = join(folder, "films");

beforeAll(async () => {
  const model = writeTinyModel(join(folder, "model"));
  // Two of the patients that are asked about, film-12 and film-13, are trained on.
  await writeFilms(data, (row, i) => (i < 2 ? { ...row, subject: `patient-${12 + i}` } : row));
  const { stages, ...recipe } = tinyRecipe({ model, data });
  writeRecipe(join(folder, "tiny.yaml"), { ...recipe, stages: stages.slice(0, 1) });
});

const SHARED = "2 subjects (patient-12, patient-13), which 2 of 4 questions are about";

it("stops a run and an evaluation with the ids", async () => {
  const train = await viva(folder, "train", "tiny.yaml", "--run", "none");
  expect([train.code, train.stderr]).toEqual([
    2,
    expect.stringContaining(`data.eval shares with the training data ${SHARED}`),
  ]);
  expect(train.stderr).toContain("data.allow_overlap: true");
  const check = await viva(folder, "check", "tiny.yaml");
  expect(check.code).toBe(1);
  expect(check.stdout).toContain(SHARED);
  expect(check.stdout).toMatch(/verdict +this recipe does not run: give each subject to one split/);
});

it("warns where they are allowed, in the table, the record and the report too", async () => {
  const { stderr } = await vivaOk(folder, "train", "tiny.yaml", "--run", "run", "--set", "data.allow_overlap=true");
  expect(stderr).toContain(`warning: the evaluation shares with the training data ${SHARED}`);
  const [event] = jsonLines(join(folder, "run"), "events.jsonl").filter((line) => line["event"] === "overlap");
  expect(event).toMatchObject({ subjects: 2, questions: 2, of: 4, first: ["patient-12", "patient-13"] });
  const summary = jsonLines(join(folder, "run"), "evals.jsonl").findLast((line) => line["kind"] === "summary");
  expect(summary).toMatchObject({ overlap: { questions: 2, unshared: { n: 2 } } });
  const report = readFileSync(join(folder, "run", "report.html"), "utf8");
  expect(report).toContain("2 of the 4 questions are about 2 subjects or images that the model was trained on.");

  const evaluate = ["eval", "run", "--data", "jsonl", "--path", data, "--out", "items.jsonl", "--no-nearest-neighbour"];
  const refused = await viva(folder, ...evaluate);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(SHARED)]);
  const { stdout } = await vivaOk(folder, ...evaluate, "--allow-overlap");
  expect(stdout).toContain(`shared with the training data: ${SHARED}; accuracy on the other 2: `);
});

it("stops and tells the library's evaluate too", async () => {
  const asked = { name: "jsonl", path: data, split: "test" };
  const run = join(folder, "run");
  const refused = `${SHARED}: give each subject to one split, or set allowOverlap: true`;
  await expect(evaluate(run, asked)).rejects.toThrow(refused);
  const { summary } = await evaluate(run, asked, { allowOverlap: true, maxCompletionLength: 2 });
  expect(summary.overlap).toMatchObject({ subjects: 2, questions: 2, unshared: { n: 2 } });
});

it("finds a training image under another name and in another file, which --allow-overlap lets pass", async () => {
  const copied = join(folder, "copied");
  await writeFilms(copied);
  const [test, train] = ["test", "train"].map((split) => jsonLines(copied, `${split}.jsonl`));
  const [asked, seen] = [join(copied, test![0].image), join(copied, train![1].image)];
  writeFileSync(asked, await sharp(seen).png({ compressionLevel: 1 }).toBuffer());
  const at = ["--set", `data.train.path=${copied}`, "--set", `data.eval.path=${copied}`];
  const told = "1 subject (patient-12), which 1 of 4 questions are about; ";
  const refused = await viva(folder, "check", "tiny.yaml", ...at);
  expect([refused.code, refused.stdout]).toEqual([
    1,
    expect.stringContaining(`${told}${asked} has the pixels of ${seen}`),
  ]);
  const { stdout } = await vivaOk(folder, "check", "tiny.yaml", ...at, "--set", "data.allow_overlap=true", "--json");
  expect(JSON.parse(stdout).overlap).toMatchObject({ questions: 1, copies: { images: 1, judged: asked, seen } });
  const evaluate = [
    "eval",
    "run",
    "--data",
    "jsonl",
    "--path",
    copied,
    "--out",
    "items.jsonl",
    "--no-nearest-neighbour",
  ];
  expect((await viva(folder, ...evaluate)).stderr).toContain(`has the pixels of ${seen}`);
  const allowed = await vivaOk(folder, ...evaluate, "--allow-overlap");
  expect(allowed.stdout).toMatch(
    /shared with the training data: 2 subjects .* has the pixels of .*; accuracy on the other 2: /,
  );
});

it("says so where the run's training data are gone", async () => {
  const own = ["eval", "run", "--data", "jsonl", "--path", "asked", "--out", "items.jsonl", "--json"];
  await writeFilms(join(folder, "asked"));
  rmSync(join(data, "train.jsonl"));
  const { stdout } = await vivaOk(folder, ...own, "--no-nearest-neighbour");
  expect(JSON.parse(stdout).overlap_unknown).toMatch(/no split "train" in \S+films; the splits there are test/);
});
