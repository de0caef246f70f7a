import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { expectMistake, set } from "./mistakes.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const at = (...path: string[]) => join(folder, ...path);

beforeAll(async () => {
  const model = writeTinyModel(at("model"));
  writeRecipe(at("films.yaml"), tinyRecipe({ model, data: await writeFilms(at("films")) }));
});

it("training ends with a report that shows the films, the questions and each reward by its name", async () => {
  const { stdout } = await vivaOk(folder, "train", "films.yaml", "--run", "films-run");
  expect(stdout).toContain(`report: ${at("films-run", "report.html")}\n`);
  const page = readFileSync(at("films-run", "report.html"), "utf8");
  expect(page).toContain('<img src="data:image/webp;base64,');
  expect(page).toContain("finished, 8 steps");
  expect(page).toMatch(/Is the film bright\?|Is it dark\?/);
  expect(page).toContain("accuracy <b>");
  expect(page).toContain("Line chart: Accuracy on held-out questions");
});

it("generated images are found again from the run's recipe", async () => {
  const data = [
    "data.train.name=phantom",
    "data.train.path=null",
    "data.train.limit=12",
    "data.eval=null",
    "evaluate=null",
  ];
  await vivaOk(folder, "train", "films.yaml", "--run", "phantoms", ...set(...data));
  const page = readFileSync(at("phantoms", "report.html"), "utf8");
  expect(page).toContain('<img src="data:image/webp;base64,');
  expect(page).not.toContain("image not found");
});

it("several runs give one file, the first as reference; what is no run is refused", async () => {
  const { stdout } = await vivaOk(folder, "report", "films-run", "phantoms", "--json");
  const { report, bytes } = JSON.parse(stdout);
  expect(report).toBe(at("comparison.html"));
  const page = readFileSync(report, "utf8");
  expect(Buffer.byteLength(page)).toBe(bytes);
  expect(page).toContain("<code>data.<wbr>train.<wbr>name</code>");
  expect(page).toContain("not evaluated");
  expectMistake(await viva(folder, "report", "films"), /films: no run here \(there is no recipe.yaml in it\)$/m);
  expectMistake(await viva(folder, "pairs", ".", "--out", "pairs.jsonl"), /\.: no run here .*: its runs are /);
});
