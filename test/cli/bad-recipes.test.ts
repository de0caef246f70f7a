import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { jsonLines, temporaryFolder, viva } from "./command-line.ts";
import { expectMistake, refusals, set } from "./mistakes.ts";
import { type Row, tinyRecipe, truncateFile, writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const at = (...path: string[]) => join(folder, ...path);
const model = at("model");
const data = at("films");
/** DirectML is Windows's, CoreML Apple's. */
const missing = process.platform === "win32" ? "coreml" : "dml";
const expectRefused = refusals(folder);
const expectRecipeRefused = (sentence: RegExp, ...changes: readonly string[]) =>
  expectRefused(sentence, "train", at("tiny.yaml"), ...set(...changes));

beforeAll(async () => {
  writeTinyModel(model);
  await writeFilms(data);
  writeRecipe(at("tiny.yaml"), tinyRecipe({ model, data }));
});

describe("a recipe", () => {
  it.concurrent.each<[string, RegExp, string]>([
    ["an unknown key", /unknown key stages\.1\.num_generation; did you mean num_g/, "stages.1.num_generation=4"],
    ["an unknown reward", /unknown reward "acuracy" \(did you mean "accuracy"\?\)/, "stages.1.rewards={acuracy: 1}"],
    ["a data folder that is not there", /data\.train\.path: nothing at .*\/nowhere/, "data.train.path=/nowhere"],
    ["a model folder that is not there", /model\.path: nothing at .*\/nowhere/, "model.path=/nowhere"],
    ["a model folder without weights", /holds no weights; set model\.init: random/, "model.init=pretrained"],
    [
      "a device that is not here",
      new RegExp(`the device ${missing} does not work here: .* work: cpu`),
      `engine.device=${missing}`,
    ],
    ["integers without adapters", /model\.quantize_frozen: integers are not trained/, "model.quantize_frozen=int8"],
    [
      "completions beyond the context",
      /stages\.1\.max_completion_length: a prompt of \d+ tokens and a completion of 2048 do not fit .* 2048/,
      "stages.1.max_completion_length=2048",
    ],
    [
      "evaluation completions beyond the context",
      /evaluate\.max_completion_length: a prompt of \d+ tokens and a completion of 5000 do not fit/,
      "evaluate.max_completion_length=5000",
    ],
    ["threads that no machine has", /engine\.threads must be .* at most 1024, got 1000000000/, "engine.threads=1e9"],
    [
      "a rate that only lets weights fly apart",
      /learning_rate must be .* at most 1, got/,
      "stages.0.learning_rate=1e10",
    ],
    ["a number that float32 cannot hold", /adam_epsilon must be 0, or from 1e-30/, "stages.0.adam_epsilon=1e-300"],
    ["a group that never ends", /num_generations must be .* at most 10000, got/, "stages.1.num_generations=1000000"],
    [
      "a temperature that draws nothing",
      /temperature must be .* least 0\.01 .*got 1e-30/,
      "stages.1.temperature=1e-30",
    ],
    ["a weight that teaches nothing", /rewards\.accuracy must be 0, or from/, "stages.1.rewards.accuracy=1e-20"],
    ["a batch that never ends", /batch_size must be .* at most 100000, got/, "stages.0.batch_size=1000000"],
  ])("with %s is refused", (_, sentence, change) => expectRecipeRefused(sentence, change));

  it("that asks for more than there is, is told so", async () => {
    const asked = set("engine.threads=1000", "stages.0.batch_size=50");
    const { code, stderr } = await viva(folder, "check", "tiny.yaml", ...asked);
    expect(stderr).toMatch(/^warning: engine\.threads: 1000 are more than the \d+ cores here, so \d+ are used$/m);
    expect(stderr).toMatch(/^warning: stages\.0\.batch_size: 50 are more than the \d+ examples of data\.train: /m);
    expect(code).toBe(0);
  });

  it.concurrent("that is not there, or no YAML, is refused", async () => {
    await expectRefused(/nowhere\.yaml: no such recipe/, "train", "nowhere.yaml");
    await expectRefused(/train\.jsonl, line 2, column 1: not valid YAML/, "train", join(data, "train.jsonl"));
    writeFileSync(
      at("latin.yaml"),
      Buffer.from("name: a\nprompt: { user: 'Ist da ein Ödem? {question}' }\n", "latin1"),
    );
    await expectRefused(/latin\.yaml: line 2 is not UTF-8: save the file as UTF-8/, "train", at("latin.yaml"));
  });

  it.concurrent("or a folder whose name is empty, as a variable that was never set gives it, is refused", async () => {
    await expectRefused(/--run: the word given is empty/, "train", "tiny.yaml", "--run", "");
    await expectRefused(/recipe: the word given is empty/, "train", "");
    await expectRecipeRefused(/nothing at .*; ~ means home to a shell only: write \//, "model.path=~/model");
  });

  it("cannot run into a folder that holds something else", async () => {
    expectMistake(await viva(folder, "train", "tiny.yaml", "--run", "films"), /films: the folder is not empty/);
    expect(existsSync(join(data, ".lock"))).toBe(false);
  });
});

describe("a model", () => {
  const withWeights = (name: string, header: string, claimed = header.length) => {
    const broken = writeTinyModel(at(name));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(claimed));
    writeFileSync(join(broken, "model.safetensors"), Buffer.concat([length, Buffer.from(header), Buffer.alloc(64)]));
    return broken;
  };
  const header = (change: object) =>
    JSON.stringify({ "model.norm.weight": { dtype: "F32", shape: [16], data_offsets: [0, 64], ...change } });

  it.concurrent.each<[string, RegExp, () => string]>([
    ["header claims too much", /header claims 9000 bytes, but the file has/, () => withWeights("a", header({}), 9000)],
    ["header lies about a size", /takes 128 bytes.* span 64/, () => withWeights("b", header({ shape: [32] }))],
    ["weights are another model's", /missing from the checkpoint's weights/, () => withWeights("e", header({}))],
  ])("whose safetensors %s is refused", async (_, sentence, write) => {
    await expectRecipeRefused(sentence, `model.path=${write()}`, "model.init=pretrained");
  });

  it.concurrent("of an unknown type, or of impossible sizes, is refused", async () => {
    const llava = writeTinyModel(at("llava"), { model_type: "llava" });
    await expectRecipeRefused(/unknown model_type "llava", known: qwen2_vl/, `model.path=${llava}`);
    const odd = writeTinyModel(at("odd"), { num_attention_heads: 5 });
    await expectRecipeRefused(/config\.json: .*hidden_size 64/, `model.path=${odd}`);
    const awq = writeTinyModel(at("awq"), { quantization_config: { quant_method: "awq", bits: 4 } });
    await expectRecipeRefused(/config\.json: quantization_config: weights that another tool/, `model.path=${awq}`);
  });
});

describe("JSONL data", () => {
  const fifth = (change: Row) => (row: Row, i: number) => (i === 4 ? { ...row, ...change } : row);
  it.concurrent.each<[string, RegExp, Row]>([
    ["an empty answer", /train\.jsonl:5: the answer is empty/, { answer: " " }],
    ["a missing image file", /1 bad image: .*lost\.jpg of "film-4" \(no such file\)/, { image: "images/lost.jpg" }],
    ["a special token in a question", /"film-4": .*"<\|image_pad\|>"/, { question: "Bright, <|image_pad|>, or dark?" }],
  ])("with %s is refused", async (name, sentence, change) => {
    const path = await writeFilms(at(name), fifth(change));
    await expectRecipeRefused(sentence, `data.train.path=${path}`);
  });

  it.concurrent("with a truncated JPEG that is met at once is refused", async () => {
    const path = await writeFilms(at("cut"), fifth({ question: "Is this the longest question of them all?" }));
    truncateFile(join(path, "images/4.jpg"));
    await expectRecipeRefused(/example "film-4": image .*4\.jpg is damaged/, `data.train.path=${path}`);
  });

  it.concurrent("with a line that is no JSON is refused", async () => {
    const path = await writeFilms(at("no-json"));
    writeFileSync(join(path, "train.jsonl"), '\n{"image": \n');
    await expectRecipeRefused(/train\.jsonl:2: not a JSON object/, `data.train.path=${path}`);
  });
});

it("a run that diverges ends with exit code 1, one sentence and its batch saved", async () => {
  const changes = set(
    ...["learning_rate=1", "weight_decay=100", "lr_scheduler_type=constant", "steps=12"].map(
      (key) => `stages.0.${key}`,
    ),
  );
  const { code, stderr } = await viva(folder, "train", "tiny.yaml", "--run", "diverged", ...changes);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: step \d+ \(sft\): .* is (NaN|-?Infinity); the batch is in \S+\.json\. [^\n]+\n$/);
  const last = jsonLines(at("diverged"), "events.jsonl").at(-1);
  expect(last).toMatchObject({ event: "error", stage: "sft" });
  expect(existsSync(last.saved)).toBe(true);
});
