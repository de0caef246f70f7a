/** Looking over the data before training, and images of extreme shapes from the recipe to the answers. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { jsonLines, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { expectMistake, set } from "./mistakes.ts";
import { type Row, tinyRecipe, writeRecipe, writeRows, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const at = (...path: string[]) => join(folder, ...path);
const skip = set("data.on_bad_image=skip", "data.on_too_long=skip");

/** Width, height. */
const shapes = {
  dot: [1, 1],
  scrap: [5, 7],
  strip: [2000, 20],
  film: [56, 56],
  ratio: [200, 1],
  pole: [9, 1700],
} as const;

const row = (id: string, images: readonly string[], question = "Is it dark?"): Row => {
  return { id, images: images.map((name) => `${name}.png`), question, answer: "yes", subject: id };
};
const good = [
  row("dot", ["dot"]),
  row("scrap", ["scrap"]),
  row("strip", ["strip"]),
  row("pole", ["pole"]),
  row("ratio", ["ratio"]),
  row("mixed", ["strip", "dot", "film", "scrap"]),
  row("twice", ["film", "film"]),
  row("pair", ["pole", "strip"]),
];
const long = row("long", ["film"], "word ".repeat(3000));
const narrow = row("narrow", ["needle"]);

function writeData(name: string, train: readonly Row[], test: readonly Row[]): string {
  const path = at("data", name);
  mkdirSync(path, { recursive: true });
  const above = (rows: readonly Row[]) =>
    rows.map((r) => ({ ...r, images: (r["images"] as string[]).map((image) => `../${image}`) }));
  writeRows(join(path, "train.jsonl"), above(train));
  writeRows(join(path, "test.jsonl"), above(test));
  return path;
}

/** Arguments of a run on a data set. */
function train(run: string, path: string, ...more: readonly string[]): readonly string[] {
  const data = set(`data.train.path=${path}`, `data.eval.path=${path}`, "data.allow_overlap=true");
  return ["train", "tiny.yaml", "--run", run, ...data, ...more];
}

beforeAll(async () => {
  mkdirSync(at("data"));
  for (const [name, [width, height]] of Object.entries({ ...shapes, needle: [3000, 10] as const })) {
    const noise = { type: "gaussian", mean: 120, sigma: 40 } as const;
    const film = sharp({ create: { width, height, channels: 3, background: "#888", noise } });
    await film.png().toFile(at("data", `${name}.png`));
  }
  const recipe = tinyRecipe({ model: writeTinyModel(at("model")), data: writeData("good", good, good) });
  const grpo = { ...recipe.stages[1], steps: 1, prompts_per_step: good.length };
  writeRecipe(at("tiny.yaml"), { ...recipe, stages: [grpo], evaluate: { at_start: false } });
});

describe("images of extreme shapes, several to a question", () => {
  it("train for a step and are evaluated, in one batch", async () => {
    await vivaOk(folder, ...train("extreme", at("data/good")));
    const rollouts = jsonLines(folder, "extreme", "rollouts.jsonl");
    expect(rollouts.map(({ example_id }) => example_id).sort()).toEqual(good.map(({ id }) => id).sort());
    const tokens = Object.fromEntries(rollouts.map(({ example_id, image_tokens }) => [example_id, image_tokens]));
    // transformers' smart_resize with min_pixels 3,136 and max_pixels 12,800, a token for every 28 x 28 pixels.
    expect(tokens).toEqual({ dot: 4, scrap: 6, strip: 40, pole: 28, ratio: 29, mixed: 54, twice: 8, pair: 68 });
    const [metrics] = jsonLines(folder, "extreme", "metrics.jsonl");
    expect(Number.isFinite(metrics.loss) && Number.isFinite(metrics["optim/grad_norm"])).toBe(true);
    expect(metrics["sampler/logprob_diff_max"]).toBeLessThan(1e-3);
    const items = jsonLines(folder, "extreme", "evals.jsonl").filter(({ kind }) => kind === "item");
    expect(items.map(({ example_id }) => example_id)).toEqual(good.map(({ id }) => id));
  });

  it("are reported in events.jsonl and on the terminal", async () => {
    const events = jsonLines(folder, "extreme", "events.jsonl");
    const [report] = events.filter(({ event, data }) => event === "preflight" && data === "data.train");
    expect(report).toMatchObject({ step: 0, stage: "start", examples: 8, kept: 8, images: 6, dropped: {} });
    expect(report.image_tokens_max).toBe(68);
    const longest = jsonLines(folder, "extreme", "rollouts.jsonl").find(({ example_id }) => example_id === "pair");
    expect(report.longest).toEqual({ example_id: "pair", tokens: longest.prompt_tokens + 4 });
    expect(report.prompt_tokens_max).toBe(longest.prompt_tokens);
    const [said] = await vivaOk(folder, ...train("said", at("data/good"))).then(({ stdout }) => stdout.split("\n\n"));
    expect(said).toMatch(/^data\.train: 8 of 8 examples, 6 images; .*the longest is "pair", \d+ tokens/m);
    expect(said).toMatch(/^memory: at most about \d\.?\d+ GB \(.*weights \d/m);
  });
});

describe("examples that cannot be used", () => {
  it("stop the run before it exists, saying which, how many and what to do", async () => {
    const tooLong = writeData("too-long", [...good, long, { ...long, id: "longer" }], good);
    const sentence =
      /^error: stages\.0\.max_completion_length: a prompt of \d+ tokens .* \(example "long"\).*on_too_long: skip; so it is with 2 of the 10 examples of data\.train/;
    expectMistake(await viva(folder, ...train("a", tooLong)), sentence);
    const tooNarrow = writeData("too-narrow", good, [...good, narrow]);
    const ratio = /example "narrow": image \S+needle\.png: an image of 3000 x 10 pixels is too narrow/;
    expectMistake(await viva(folder, ...train("a", tooNarrow)), ratio);
    const spelled = row("spelled", ["film"], "Is it <|image_pad|>?");
    const special = writeData("special", [...good, spelled], good);
    expectMistake(await viva(folder, ...train("a", special)), /example "spelled": .*special token of the model/);
    expect(existsSync(at("a"))).toBe(false);
  });

  it("are left out where the recipe says so, counted by reason, with their first ids", async () => {
    const lost = row("lost", ["lost"]);
    writeFileSync(at("data/text.png"), "no image");
    const path = writeData("mixed", [long, ...good, narrow, row("text", ["text"]), lost], [narrow, ...good, long]);
    const { stderr } = await vivaOk(folder, ...train("mixed", path, ...skip));
    const events = jsonLines(folder, "mixed", "events.jsonl");
    const reports = events.filter(({ event }) => event === "preflight");
    expect(reports.map(({ data, examples, kept, dropped }) => ({ data, examples, kept, dropped }))).toEqual([
      {
        data: "data.train",
        examples: 12,
        kept: 8,
        dropped: {
          image_missing: { count: 1, first: ["lost"] },
          image_or_text: { count: 2, first: ["narrow", "text"] },
          too_long: { count: 1, first: ["long"] },
        },
      },
      {
        data: "data.eval",
        examples: 10,
        kept: 8,
        dropped: { image_or_text: { count: 1, first: ["narrow"] }, too_long: { count: 1, first: ["long"] } },
      },
    ]);
    const skipped = events.filter(({ event }) => event === "example_skipped").map(({ example_id }) => example_id);
    expect(skipped).toEqual(["lost", "long", "narrow", "text", "narrow", "long"]);
    expect(stderr).toContain("warning: data.train: 1 left out, too long for the model's context: long\n");
    const items = jsonLines(folder, "mixed", "evals.jsonl").filter(({ kind }) => kind === "item");
    expect(items).toHaveLength(8);
  });

  it("must not be all there are", async () => {
    const path = writeData("only-bad", [long, narrow], good);
    const sentence = /data\.train: none of the 2 examples can be used; the first, "long", because: .*do not fit/;
    expectMistake(await viva(folder, ...train("b", path, ...skip)), sentence);
    expect(existsSync(at("b"))).toBe(false);
  });

  it("are also told by viva check, which trains nothing", async () => {
    const sources = [`data.train.path=${at("data/mixed")}`, "data.allow_overlap=true"];
    const args = ["check", "tiny.yaml", ...set(...sources), ...skip];
    const { data } = JSON.parse((await vivaOk(folder, ...args, "--json")).stdout);
    expect(data).toMatchObject([
      { data: "data.train", kept: 8, dropped: { too_long: { count: 1 } } },
      { data: "data.eval", kept: 8 },
    ]);
    const { stdout } = await vivaOk(folder, ...args);
    expect(stdout).toMatch(/^data\.train +jsonl, \S+mixed, split train: 8 of 12 examples, 8 images$/m);
    expect(stdout).toMatch(/^ +1 left out, too long for the model's context: long$/m);
  });
});
