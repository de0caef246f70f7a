import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { filesBelow, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { refusals } from "./mistakes.ts";
import { type Row, tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const at = (...path: string[]) => join(folder, ...path);
const model = at("model");
const data = at("films");
const trained = at("trained");
const expectRefused = refusals(folder);
const bright = { image: "films/images/9.jpg", question: "Is it dark?" };

let files = 0;
/** A rows file of these lines. */
function rowsFile(...lines: readonly (Row | string)[]): string {
  const path = at(`rows-${files++}.jsonl`);
  writeFileSync(path, lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join(""));
  return path;
}

beforeAll(async () => {
  writeTinyModel(model);
  await writeFilms(data);
  const { stages, ...recipe } = tinyRecipe({ model, data });
  writeRecipe(at("short.yaml"), { ...recipe, evaluate: null, stages: [{ ...stages[0], steps: 1 }] });
  await vivaOk(folder, "train", "short.yaml", "--run", "trained");
});

describe("rows", () => {
  it.concurrent.each<[string, RegExp, "generate" | "logprobs", readonly (Row | string)[]]>([
    ["with bad JSON", /rows-\d+\.jsonl:3: not a JSON object/, "generate", [bright, "", "{image"]],
    [
      "with an image that is not there",
      /rows-\d+\.jsonl:2: .*lost\.jpg/,
      "generate",
      [bright, { ...bright, image: "lost.jpg" }],
    ],
    ["without a completion", /\.jsonl:2: completion is missing/, "logprobs", [{ ...bright, completion: "no" }, bright]],
    ["with a special token", /\.jsonl:1: .*"<\|im_end\|>"/, "logprobs", [{ ...bright, completion: "no<|im_end|>" }]],
    [
      "with a completion beyond the context",
      /\.jsonl:1: prompt and completion have \d+ tokens, the model's context holds 2048/,
      "logprobs",
      [{ ...bright, completion: "no ".repeat(3000) }],
    ],
  ])("%s are refused", async (_, sentence, command, lines) => {
    await expectRefused(sentence, command, trained, "--rows", rowsFile(...lines), "--out", "out.jsonl");
  });

  it("that are not there, or whose completions cannot fit the context, are refused", async () => {
    const generate = ["generate", trained, "--out", "out.jsonl", "--rows"];
    await expectRefused(/cannot read rows none\.jsonl/, ...generate, "none.jsonl");
    const long = [...generate, rowsFile(bright), "--max-completion-length", "2048"];
    await expectRefused(/2048 (tokens )?do(es)? not fit/, ...long);
  });
});

it.concurrent("a checkpoint that is none, or has no weights, is refused", async () => {
  const evaluate = ["--data", "jsonl", "--path", data, "--out", "out.jsonl"];
  await expectRefused(/there is no folder .*\/nowhere\n$/, "eval", "nowhere", ...evaluate);
  await expectRefused(/has no checkpoint of step 7; it has 1/, "eval", trained, "--step", "7", ...evaluate);
  await expectRefused(/model\b.*safetensors/, "generate", model, "--rows", rowsFile(bright), "--out", "out.jsonl");
});

it.concurrent("an output without a place is refused before the work", async () => {
  const sentence = /--out lost\/out\.jsonl: there is no folder lost/;
  const rows = ["--rows", rowsFile(bright)];
  await expectRefused(sentence, "generate", trained, ...rows, "--out", "lost/out.jsonl");
  await expectRefused(sentence, "logprobs", trained, ...rows, "--out", "lost/out.jsonl");
  await expectRefused(sentence, "eval", trained, "--data", "phantom", "--out", "lost/out.jsonl");
});

it.concurrent.each<[string, RegExp, readonly string[]]>([
  ["an unknown command", /unknown command 'trian'\n\(Did you mean train\?\)/, ["trian"]],
  [
    "an unknown option",
    /unknown option '--sett'\n\(Did you mean --set\?\)/,
    ["train", "tiny.yaml", "--sett", "seed=1"],
  ],
  ["a missing option", /required option '--out <file>' not specified/, ["generate", model, "--rows", "x"]],
  ["a number that is none", /'--limit <n>' argument 'x' is invalid/, ["eval", model, "--limit", "x"]],
])("the command line refuses %s", async (_, sentence, args) => {
  const empty = mkdtempSync(at("empty-"));
  const { code, stdout, stderr } = await viva(empty, ...args);
  expect(code).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).toMatch(/^error: [^\n]+\n(\([^\n]+\)\n|\n)*$/);
  expect(stderr).toMatch(sentence);
  expect(filesBelow(empty)).toEqual([]);
});
