import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { jsonLines, root, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { expectMistake, set } from "./mistakes.ts";
import { tinyRecipe, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const at = (...path: string[]) => join(folder, ...path);

beforeAll(() => {
  process.env["VIVA_CACHE"] = at("cache");
  cpSync(join(root, "test/golden/formats"), at("formats"), { recursive: true });
  const { data: _, evaluate: __, ...recipe } = tinyRecipe({ model: writeTinyModel(at("model")), data: "" });
  const parts = [
    { name: "files", path: "formats/own_columns.parquet", split: "all", weight: 3, columns: german },
    { name: "files", path: "formats/llava.json", split: "all" },
  ];
  const data = { train: { name: "mix", sets: parts }, eval: null };
  const stages = [{ kind: "sft", steps: 2, batch_size: 4, learning_rate: 0.001 }];
  writeRecipe(at("mix.yaml"), { ...recipe, data, stages, evaluate: null });
});

const german = { question: "Frage", answer: "Antwort", image: "Bild", subject: "pid" };

it("import shows what a file was taken for, and writes rows that train", async () => {
  const shown = await vivaOk(folder, "data", "import", "formats/llava.json");
  expect(shown.stdout).toMatch(
    /^formats\/llava\.json: JSON, LLaVA conversations\ncolumns: id, image, conversations\n\nall: 4 questions, 4 images\n/,
  );
  expect(shown.stdout).toMatch(/nothing is written\n$/);
  const columns = "question=Frage,answer=Antwort,image=Bild,subject=pid";
  const written = await vivaOk(
    folder,
    "data",
    "import",
    "formats/own_columns.parquet",
    "mine",
    "--to",
    "jsonl",
    "--columns",
    columns,
    "--split",
    "train",
  );
  expect(written.stdout).toContain("train: 4 questions, 4 images\n");
  expect(written.stdout).toMatch(/written: mine\/train\.jsonl\n$/);
  expect(jsonLines(at("mine/train.jsonl"))).toHaveLength(4);
  expect(jsonLines(at("mine/train.jsonl"))[1]).toMatchObject({ question: "Is it dark?", answer: "no", subject: "p1" });
  const json = await vivaOk(folder, "data", "import", "formats/saved", "--columns", "subject=pid", "--json");
  expect(JSON.parse(json.stdout)).toMatchObject({
    container: "Arrow",
    splits: [
      { split: "train", rows: 2, images: 2, left_out: [] },
      { split: "test", rows: 2 },
    ],
    written: [],
  });
  writeFileSync(at("films.csv"), "image,question,answer,A,B\nfilms/0.png,Is it dark?,no,yes,no\n");
  await vivaOk(folder, "data", "import", "films.csv", "new/folder", "--images", at("formats"));
  const again = await viva(folder, "data", "import", "films.csv", "new/folder", "--images", at("formats"));
  expectMistake(again, /^error: new\/folder\/all\.jsonl is there already/);
  const [row] = jsonLines(folder, "new/folder/all.jsonl");
  expect(row).toMatchObject({ image: "../../formats/films/0.png", choices: { A: "yes", B: "no" } });
  await vivaOk(folder, "train", "mix.yaml", "--run", "imported", ...set("data.train={name: jsonl, path: mine}"));
});

it("trains on a mix of files, whose paths count from the recipe and stand absolute in the run's", async () => {
  await vivaOk(folder, "train", "mix.yaml", "--run", "mixed");
  expect(readFileSync(at("mixed/recipe.yaml"), "utf8")).toContain(`path: ${at("formats/llava.json")}`);
  const [preflight] = jsonLines(at("mixed/events.jsonl")).filter(({ event }) => event === "preflight");
  expect(preflight).toMatchObject({ data: "data.train", examples: 16, images: 8 });
});

it("mistakes are one sentence that names the format", async () => {
  const own = ["data.train={name: files, path: formats/own_columns.csv, split: all}"];
  expectMistake(
    await viva(folder, "train", "mix.yaml", "--run", "bad", ...set(...own)),
    /own_columns\.csv \(CSV\) has no column called question or answer/,
  );
  expectMistake(
    await viva(folder, "data", "import", "formats/versions.json"),
    /versions\.json: expected a list of rows/,
  );
  expectMistake(await viva(folder, "data", "import", "formats/none.json"), /none\.json/);
});
