/** Recipes that viva init writes: viva check accepts them, and they train. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { jsonLines, root, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { writeFilms, writeRows, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const recipe = (name: string) => parse(readFileSync(join(folder, name), "utf8"));

/** A model of 400 million weights, with a file of one: nothing but their number is looked at. */
function writeLargeModel(): string {
  const header = Buffer.from('{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const model = writeTinyModel(join(folder, "large"), {
    ...{ hidden_size: 1536, intermediate_size: 8960, num_hidden_layers: 4, max_window_layers: 4 },
    ...{ num_attention_heads: 12, rope_scaling: { type: "mrope", mrope_section: [16, 24, 24] } },
    vision_config: {
      ...JSON.parse(readFileSync(join(root, "assets/viva-tiny/config.json"), "utf8")).vision_config,
      ...{ depth: 1, embed_dim: 32, hidden_size: 1536, num_heads: 2 },
    },
  });
  writeFileSync(join(model, "model.safetensors"), Buffer.concat([length, header, Buffer.alloc(4)]));
  return model;
}

beforeAll(async () => {
  await writeFilms(join(folder, "films"));
  const row = { image: "../films/images/0.jpg", question: "Is it dark?" };
  mkdirSync(join(folder, "half"));
  writeRows(join(folder, "half/train.jsonl"), [{ ...row, answer: "yes" }]);
  writeRows(join(folder, "half/test.jsonl"), [{ ...row, Answer: "yes" }]);
});

describe("viva init", () => {
  it("writes a recipe for own data that check accepts and that trains", async () => {
    const { stdout } = await vivaOk(folder, "init", "--data", "films");
    expect(stdout).toContain("verdict");
    expect(stdout).toContain("next:    viva check recipe.yaml");
    expect(recipe("recipe.yaml")).toMatchObject({
      name: "films",
      model: { path: "viva-tiny-instruct" },
      data: { train: { name: "jsonl", path: join(folder, "films"), split: "train" }, eval: { split: "test" } },
      stages: [
        { kind: "sft", learning_rate: 3e-4 },
        { kind: "grpo", learning_rate: 1e-5 },
      ],
      checkpoint: { best: "accuracy" },
    });
    await vivaOk(folder, "check", "recipe.yaml");
    const short = ["--set", "stages.0.steps=1", "--set", "stages.1.steps=1", "--set", "evaluate.limit=2"];
    await vivaOk(folder, "train", "recipe.yaml", "--run", "run", "--no-report", ...short);
    expect(jsonLines(folder, "run", "metrics.jsonl")).toHaveLength(2);
  });

  it("takes files of other tools for what they are", async () => {
    const rows = [0, 1, 2, 3].map((i) => `Is it dark?,${i % 2 === 0 ? "yes" : "no"},films/images/${i}.jpg\n`);
    writeFileSync(join(folder, "table.csv"), `question,answer,image\n${rows.join("")}`);
    const { stdout } = await vivaOk(folder, "init", "table.yaml", "--data", "table.csv");
    const train = { name: "files", path: join(folder, "table.csv"), split: "all" };
    expect(recipe("table.yaml").data).toMatchObject({ train });
    expect(stdout).toMatch(/^data\.eval +none: nothing is evaluated$/m);
    expect(stdout).toContain("keep some patients back");
  });

  it("gives a large model adapters, limits its images, and leaves out what cannot be measured", async () => {
    writeRows(join(folder, "one.jsonl"), [
      { image: "films/images/0.jpg", question: "What is seen?", answer: "a long answer of many words ".repeat(6) },
    ]);
    const model = writeLargeModel();
    const { code, stdout } = await viva(
      folder,
      "init",
      "large.yaml",
      "--data",
      "one.jsonl",
      "--model",
      model,
      "--json",
    );
    expect([0, 1]).toContain(code); // the machine may be too small for it
    const written = recipe("large.yaml");
    expect(JSON.parse(stdout)).toMatchObject({ file: "large.yaml", recipe: written, check: { can_run: code === 0 } });
    expect(written).toMatchObject({
      model: { path: model, lora: {} },
      image: { max_pixels: 512 * 28 * 28 },
      stages: [{ learning_rate: 1e-4 }, { learning_rate: 1e-5, max_completion_length: 112 }],
      evaluate: null,
    });
    expect(written.data).not.toHaveProperty("eval");
  });

  it.each([
    [[], "init: name the data with --data"],
    [["--data", "nowhere"], "nowhere does not exist"],
    [["--data", "half"], 'half/test.jsonl:1: the field "Answer" is not read'],
    [["--data", "films", "--model", "nothing-here"], "--model: there is no folder"],
    [["--data", "films", "--device", "abacus"], "Allowed choices are"],
    [["taken.yaml", "--data", "films"], "taken.yaml is there already"],
    [["no/such/recipe.yaml", "--data", "films"], "there is no folder no/such"],
  ])("%j is refused in one sentence and writes nothing", async (args, message) => {
    writeFileSync(join(folder, "taken.yaml"), "");
    const file = args[0]?.endsWith(".yaml") ? [] : ["new.yaml"];
    const { code, stderr } = await viva(folder, "init", ...file, ...args);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
    expect(existsSync(join(folder, "new.yaml"))).toBe(false);
  });
});
