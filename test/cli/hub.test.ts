import {
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { randomWeights } from "../../src/engine/local/weight-store.ts";
import { saveWeights } from "../../src/io/weights.ts";
import { openModel } from "../../src/models/index.ts";
import { type FakeHub, startHub } from "../hub/hub-server.ts";
import { filesBelow, jsonLines, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { expectMistake, set } from "./mistakes.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeRows, writeTinyModel } from "./tiny-run.ts";

const TOKEN = "hf_secretTokenOfTheTest";
const folder = realpathSync(temporaryFolder());
const at = (...path: string[]) => join(folder, ...path);
const before = { ...process.env };
let hub: FakeHub;

/** A folder's files as a repository's. */
function asRepository(path: string): Record<string, Uint8Array> {
  return Object.fromEntries(filesBelow(path).map((name) => [name, readFileSync(join(path, name))]));
}

beforeAll(async () => {
  const model = writeTinyModel(at("tiny"));
  const { weights } = openModel(model);
  const values = Object.entries(randomWeights(weights, 1));
  saveWeights(
    model,
    values.map(([name, { shape, data }]) => ({ name, shape, data: data as Float32Array })),
  );
  const films = await writeFilms(at("films"));
  hub = await startHub({
    "models/org/tiny": { files: asRepository(model), revisions: { v2: { ...asRepository(model), "README.md": "2" } } },
    "models/org/private": { files: asRepository(model), token: TOKEN },
    "datasets/org/films": { files: asRepository(films) },
  });
  const recipe = tinyRecipe({ model: "hf:org/tiny", data: "hf:org/films" });
  const stages = [{ ...recipe.stages[0], steps: 2 }];
  writeRecipe(at("hub.yaml"), { ...recipe, model: { path: "hf:org/tiny" }, stages, evaluate: null });
  writeRows(at("rows.jsonl"), [{ image: "films/images/1.jpg", question: "Is it dark?" }]);
  rmSync(model, { recursive: true });
  Object.assign(process.env, { HF_ENDPOINT: hub.endpoint, HF_HOME: at("home") });
});
afterEach(() => {
  hub.log.length = 0;
  for (const key of ["HF_TOKEN", "HF_HUB_OFFLINE"]) delete process.env[key];
});
afterAll(async () => {
  for (const key of ["HF_ENDPOINT", "HF_HOME"]) {
    if (before[key] === undefined) delete process.env[key];
    else process.env[key] = before[key];
  }
  await hub.close();
});

const generate = ["generate", "--rows", "rows.jsonl", "--out", "out.jsonl", "--max-completion-length", "2"];
const downloads = () => hub.log.filter(({ host, path }) => host === "cdn" || path.includes("/resolve/"));

describe("a recipe that names a model and data on the Hub", () => {
  it("trains, pins both to their commits, and resumes without a download and offline", async () => {
    const { stdout } = await vivaOk(folder, "train", "hub.yaml", "--run", "run");
    expect(stdout).toMatch(/download org\/tiny, MB 1\/1/);
    const { model, data } = parse(readFileSync(at("run/recipe.yaml"), "utf8"));
    expect(model).toMatchObject({ path: "hf:org/tiny", revision: hub.commitOf("models/org/tiny") });
    const films = { path: "hf:org/films", revision: hub.commitOf("datasets/org/films") };
    expect(data).toMatchObject({ train: films, eval: films });
    hub.log.length = 0;
    process.env["HF_HUB_OFFLINE"] = "1";
    await vivaOk(folder, "train", "hub.yaml", "--run", "run", "--resume");
    expect(jsonLines(at("run/metrics.jsonl"))).toHaveLength(2);
    await vivaOk(folder, "train", "hub.yaml", "--run", "again");
    expect(hub.log).toEqual([]);
    const metrics = (run: string) => jsonLines(at(run, "metrics.jsonl")).map(({ loss }) => loss);
    expect(metrics("again")).toEqual(metrics("run"));
  });

  it("is compared with what it was trained on where that is in the cache, which nothing is downloaded for", async () => {
    const asked = at("asked");
    const film = { image: "1.jpg", question: "Is it dark?", answer: "no" };
    mkdirSync(asked);
    cpSync(at("films/images/1.jpg"), join(asked, "1.jpg"));
    writeRows(join(asked, "test.jsonl"), [{ ...film, subject: "patient-3" }]);
    const question = ["--data", "jsonl", "--path", asked, "--max-completion-length", "2"];
    const args = ["eval", "run", ...question, "--out", "items.jsonl"];
    const refused = await viva(folder, ...args);
    const shared =
      "the data asked shares with the training data 1 subject (patient-3), which 1 of 1 questions are about";
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(shared)]);
    const cached = at("home/hub/datasets--org--films");
    renameSync(cached, at("films-elsewhere"));
    const { stdout } = await vivaOk(folder, ...args);
    renameSync(at("films-elsewhere"), cached);
    expect(stdout).toMatch(
      /^not compared .* of the run: data\.train\.path: hf:org\/films is not .*; viva data get org\/films@[0-9a-f]{40} downloads it$/m,
    );
    expect(hub.log.filter(({ path }) => path.includes("films"))).toEqual([]);
  });

  it("is exported with their names on its card, and files in place of the cache's links", async () => {
    await vivaOk(folder, "export", "run", "--out", "exported");
    const [, matter] = /^---\n([\s\S]*?)\n---\n/.exec(readFileSync(at("exported/README.md"), "utf8"))!;
    expect(parse(matter!)).toMatchObject({ base_model: "org/tiny", datasets: ["org/films"] });
    const names = readdirSync(at("exported"));
    expect(names).toEqual(expect.arrayContaining(["config.json", "model.safetensors", "tokenizer.json"]));
    expect(names.filter((name) => lstatSync(at("exported", name)).isSymbolicLink())).toEqual([]);
  });

  it("refuses a revision that is not there, and one of a folder", async () => {
    const train = ["train", "hub.yaml", "--run", "none"];
    expectMistake(
      await viva(folder, ...train, ...set("model.revision=v9")),
      /model\.path: hf:org\/tiny: model org\/tiny has no revision "v9"/,
    );
    expectMistake(
      await viva(folder, ...train, ...set("data.train.path=films", "data.train.revision=v1")),
      /data\.train\.path: .*films is a folder here, which has no revision v1/,
    );
  });
});

describe("a command that names a model on the Hub", () => {
  it("downloads it, a revision too, and finds it again", async () => {
    const { stderr } = await vivaOk(folder, ...generate, "hf:org/tiny@v2");
    expect(stderr).not.toMatch(/warning/);
    const refs = at("home/hub/models--org--tiny/refs");
    expect(readFileSync(join(refs, "v2"), "utf8")).toBe(hub.commitOf("models/org/tiny", "v2"));
    hub.log.length = 0;
    await vivaOk(folder, ...generate, "hf:org/tiny@v2");
    expect(downloads()).toEqual([]);
    expect(jsonLines(at("out.jsonl"))).toHaveLength(1);
  });

  it("is asked for nothing by a path at which nothing is, whatever it looks like", async () => {
    expectMistake(
      await viva(folder, ...generate, "org/tiny"),
      /checkpoint: there is no folder .*\/org\/tiny; on the Hub it would be hf:org\/tiny$/m,
    );
    mkdirSync(at("models/tiny"), { recursive: true });
    expectMistake(await viva(folder, ...generate, "models/tiy"), /there is no folder .*; did you mean models\/tiny\?/);
    expectMistake(await viva(folder, ...generate, "viva-tiny-instruc"), /; did you mean viva-tiny-instruct\?/);
    const data = ["eval", "viva-tiny-instruct", "--data", "jsonl", "--path", "org/films", "--out", "items.jsonl"];
    expectMistake(
      await viva(folder, ...data),
      /--path: there is no file or folder .*; on the Hub it would be hf:org\/films/,
    );
    expectMistake(
      await viva(folder, "train", "hub.yaml", "--run", "none", ...set("model.path=org/tiny", "model.revision=v2")),
      /hub\.yaml: model\.path: nothing at .*; on the Hub it would be hf:org\/tiny/,
    );
    expect(hub.log).toEqual([]);
  });

  it("says what the Hub does not have, and what a private model needs; never the token", async () => {
    expectMistake(
      await viva(folder, ...generate, "hf:org/tniy"),
      /checkpoint: hf:org\/tniy: model org\/tniy: the Hub answered 401: .*HF_TOKEN/,
    );
    process.env["HF_TOKEN"] = "hf_wrongTokenOfTheTest";
    process.env["VIVA_DEBUG"] = "1";
    const refused = await viva(folder, ...generate, "hf:org/private");
    delete process.env["VIVA_DEBUG"];
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(
      /check the name, and whether the token of HF_TOKEN or the token file is still valid/,
    );
    expect(refused.stderr + refused.stdout).not.toContain("hf_wrong");
    process.env["HF_TOKEN"] = TOKEN;
    await vivaOk(folder, ...generate, "hf:org/private");
    process.env["HF_HUB_OFFLINE"] = "1";
    expectMistake(
      await viva(folder, ...generate, "hf:org/other"),
      /model org\/other is not in the cache .*HF_HUB_OFFLINE/,
    );
  });
});

describe("an adapter of another tool", () => {
  it("names its model as PEFT does, without a mark", async () => {
    mkdirSync(at("adapter"));
    const lora = {
      peft_type: "LORA",
      base_model_name_or_path: "org/tiny",
      r: 2,
      lora_alpha: 2,
      target_modules: ["q_proj"],
    };
    writeFileSync(at("adapter/adapter_config.json"), JSON.stringify(lora));
    expectMistake(await viva(folder, ...generate, "adapter"), /adapter_model\.safetensors: there is no such file/);
    expect(hub.log.some(({ path }) => path.includes("org/tiny"))).toBe(true);
  });
});

describe("viva data", () => {
  it("get downloads a data set and prints its folder", async () => {
    rmSync(at("home"), { recursive: true });
    const { stdout } = await vivaOk(folder, "data", "get", "org/films");
    const path = stdout.trim();
    expect(path).toBe(at("home/hub/datasets--org--films/snapshots", hub.commitOf("datasets/org/films")));
    expect(readdirSync(path)).toEqual(["images", "test.jsonl", "train.jsonl"]);
    const shown = await vivaOk(folder, "data", "show", "jsonl", "--path", "hf:org/films", "--json");
    expect(JSON.parse(shown.stdout)).toMatchObject({ by_split: { train: { examples: 12 } } });
  });

  it("get says how to obtain what the Hub does not have", async () => {
    expectMistake(await viva(folder, "data", "get", "vqa_rad"), /viva cannot download "vqa_rad".*MEVF/);
    expectMistake(await viva(folder, "data", "get", "org/nothing"), /data set org\/nothing: the Hub answered 401/);
    expectMistake(await viva(folder, "data", "get", "slke"), /there is no file or folder .*slke, and "slke" is no id/);
  });
});
