/** viva export of real tiny runs: what is written gives the run's own log-probs, and says where it comes from. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { openWeights } from "../../src/io/weights.ts";
import { filesBelow, jsonLines, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { expectMistake } from "./mistakes.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeRows, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const at = (...path: string[]) => join(folder, ...path);
const data = at("films");

/** Log-probs of the rows under what a command line names. */
async function logProbs(checkpoint: string): Promise<readonly (readonly number[])[]> {
  const args = ["--rows", "rows.jsonl", "--out", "logprobs.jsonl", "--prompt", "plain"];
  await vivaOk(folder, "logprobs", checkpoint, ...args);
  return jsonLines(folder, "logprobs.jsonl").map(({ log_probs }) => log_probs);
}

function difference(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number {
  expect(a.map((row) => row.length)).toEqual(b.map((row) => row.length));
  return Math.max(...a.flatMap((row, i) => row.map((x, t) => Math.abs(x - b[i]![t]!))));
}

function card(...path: string[]): { text: string; matter: Record<string, unknown> } {
  const text = readFileSync(at(...path, "README.md"), "utf8");
  return { text, matter: parse(/^---\n([\s\S]*?)\n---\n/.exec(text)![1]!) };
}

function dtypes(...path: string[]): ReadonlySet<string> {
  const weights = openWeights(at(...path));
  const found = new Set(weights.names.map((name) => weights.info(name).dtype));
  weights.close();
  return found;
}

beforeAll(async () => {
  await writeFilms(data);
  const recipe = tinyRecipe({ model: writeTinyModel(at("model")), data });
  writeRecipe(at("full.yaml"), { ...recipe, stages: [recipe.stages[0]], checkpoint: { every: 2, keep: null } });
  await vivaOk(folder, "train", "full.yaml", "--run", "full", "--no-report");
  // As a model from the Hub: weights, a card with a licence.
  cpSync(at("full/checkpoints/step-000004"), at("base"), { recursive: true });
  writeFileSync(at("base/README.md"), "---\nlicense: apache-2.0\nlicense_link: there\ntags: [a]\n---\nbase\n");
  const lora = { r: 4, lora_alpha: 8, target_modules: "all-linear", rank_pattern: { "layers.1.*q_proj": 2 } };
  writeRecipe(at("lora.yaml"), { ...recipe, model: { path: at("base"), lora } });
  await vivaOk(folder, "train", "lora.yaml", "--run", "lora", "--no-report");
  const rows = [1, 6, 13].map((i) => ({
    image: `films/images/${i}.jpg`,
    question: "Is it dark?",
    completion: "yes, no",
  }));
  writeRows(at("rows.jsonl"), rows);
}, 120_000);

describe("viva export", () => {
  it("writes an adapter and a merged model with the run's log-probs", async () => {
    const { stdout } = await vivaOk(folder, "export", "lora", "--out", "both", "--what", "both", "--json");
    const { files, checkpoint, base, out } = JSON.parse(stdout);
    expect([checkpoint, base, out]).toEqual([join("lora", "checkpoints", "step-000008"), "base", at("both")]);
    expect(Object.keys(files)).toEqual(filesBelow(at("both")));
    expect(readdirSync(folder).filter((name) => name.includes(".tmp"))).toEqual([]);
    const own = await logProbs("lora");
    expect(difference(await logProbs("both/adapter"), own)).toBe(0);
    expect(difference(await logProbs("both/merged"), own)).toBeLessThan(1e-4);
    expect(difference(await logProbs("base"), own)).toBeGreaterThan(1e-2);
    expect(dtypes("both", "merged")).toEqual(new Set(["F32"]));
  });

  it("rounds merged weights to bfloat16 once, in shards, and says so in config.json", async () => {
    const args = ["--out", "half", "--dtype", "bfloat16", "--max-shard-size", "100KB"];
    await vivaOk(folder, "export", "lora", ...args);
    expect(dtypes("half")).toEqual(new Set(["BF16"]));
    expect(existsSync(at("half/model.safetensors.index.json"))).toBe(true);
    expect(JSON.parse(readFileSync(at("half/config.json"), "utf8")).torch_dtype).toBe("bfloat16");
    const half = openWeights(at("half"));
    const whole = openWeights(at("both/merged"));
    for (const name of whole.names) {
      const exact = whole.readFloat32(name);
      const rounded = half.readFloat32(name);
      // Half a unit of the eighth bit: more would mean that the merged values had been rounded before.
      for (const [i, x] of exact.entries())
        expect(Math.abs(rounded[i]! - x)).toBeLessThanOrEqual(Math.abs(x) * 2 ** -8);
    }
    half.close();
    whole.close();
    const moved = difference(await logProbs("half"), await logProbs("lora"));
    expect(moved).toBeGreaterThan(0);
    expect(moved).toBeLessThan(0.1);
  });

  it("gives a whole model's checkpoint of a chosen step unchanged", async () => {
    await vivaOk(folder, "export", "full", "--step", "2", "--out", "second");
    const own = await logProbs("full/checkpoints/step-000002");
    expect(difference(await logProbs("second"), own)).toBe(0);
    expect(difference(await logProbs("full"), own)).toBeGreaterThan(0);
    const { matter, text } = card("second");
    expect(matter).toMatchObject({ library_name: "transformers", tags: expect.arrayContaining(["sft"]) });
    expect(matter).not.toHaveProperty("base_model");
    expect(text).toContain("this is step 2");
    expect(text).not.toContain("step 3 (sft)");
  });

  it("tells base, data, recipe, results and limits in the card, and no folder of this machine", async () => {
    await vivaOk(folder, "export", "lora", "--out", "named", "--what", "adapter", "--base-model", "org/base");
    const { matter, text } = card("named");
    expect(matter).toEqual({
      base_model: "org/base",
      base_model_relation: "adapter",
      license: "apache-2.0",
      license_link: "there",
      library_name: "peft",
      pipeline_tag: "image-text-to-text",
      tags: ["viva", "medical", "visual-question-answering", "sft", "grpo", "lora"],
    });
    expect(JSON.parse(readFileSync(at("named/adapter_config.json"), "utf8")).base_model_name_or_path).toBe("org/base");
    // PEFT 0.21's auto classes refuse a task beside a model that has none of its tasks.
    expect(JSON.parse(readFileSync(at("named/adapter_config.json"), "utf8"))).toMatchObject({
      task_type: null,
      auto_mapping: { base_model_class: "Qwen2VLForConditionalGeneration", parent_library: "transformers" },
    });
    const last = jsonLines(folder, "lora", "evals.jsonl").findLast(({ kind }) => kind === "summary");
    const { estimate, low, high } = last.subsets.overall.accuracy;
    const percent = (x: number) => (100 * x).toFixed(1);
    expect(text).toContain(`| overall | 4 | ${percent(estimate)} [${percent(low)}, ${percent(high)}] |`);
    expect(text).toContain("not a medical device");
    expect(text).toContain("- Trained on: films, split `train`. Questions and images of those who trained the model");
    await vivaOk(folder, "export", "lora", "--out", "called", "--data-name", "Films of St. Example's, 2019");
    expect(card("called").text).toContain("- Trained on: Films of St. Example's, 2019, split `train`.");
    expect(card("called").text).toContain("- Measured on: Films of St. Example's, 2019, split");
    expect(text).toMatch(/model_sha256: [0-9a-f]{64}/);
    expect(text).not.toContain(folder);
    const recipe = parse(/```yaml\n([\s\S]*?)```/.exec(text)![1]!);
    expect(recipe.stages.map(({ kind }: { kind: string }) => kind)).toEqual(["sft", "grpo"]);
    expect(recipe.data.train.path).toBe("films");
  });

  it("of an adapter folder that lacks tokenizer and processor takes them from its model", async () => {
    mkdirSync(at("bare"));
    for (const file of ["adapter_config.json", "adapter_model.safetensors"]) {
      cpSync(at("both/adapter", file), at("bare", file));
    }
    await vivaOk(folder, "export", "bare", "--out", "from-bare");
    expect(difference(await logProbs("from-bare"), await logProbs("both/merged"))).toBe(0);
    expect(filesBelow(at("from-bare"))).toEqual(
      expect.arrayContaining(["preprocessor_config.json", "generation_config.json"]),
    );
  });

  it("replaces an earlier export only when told, and never anything else", async () => {
    await vivaOk(folder, "export", "full", "--out", "again");
    expectMistake(await viva(folder, "export", "full", "--out", "again"), /not empty.*--overwrite/);
    await vivaOk(folder, "export", "lora", "--out", "again", "--what", "adapter", "--overwrite");
    expect(existsSync(at("again/model.safetensors"))).toBe(false);
    writeFileSync(at("again/thesis.docx"), "mine");
    const over = ["--overwrite", "--out"];
    expectMistake(await viva(folder, "export", "full", ...over, "again"), /thesis\.docx is not part of one/);
    expect(readFileSync(at("again/thesis.docx"), "utf8")).toBe("mine");
    expectMistake(await viva(folder, "export", "lora", ...over, "base"), /is a source of the export/);
    expectMistake(
      await viva(folder, "export", "lora", "--out", "lora/checkpoints/step-000008/x"),
      /is a source of the export/,
    );
    expectMistake(await viva(folder, "export", "full", "--out", "rows.jsonl"), /is a file; choose a folder/);
  });

  it("answers a mistake with one sentence", async () => {
    const mistake = async (pattern: RegExp, ...args: readonly string[]) =>
      expectMistake(await viva(folder, "export", ...args), pattern);
    await mistake(/no adapter: export it with --what merged/, "full", "--out", "x", "--what", "adapter");
    await mistake(/checkpoint: there is no folder .*\/nowhere\n$/, "nowhere", "--out", "x");
    await mistake(/no checkpoint of step 3/, "full", "--out", "x", "--step", "3");
    cpSync(at("bare"), at("orphan"), { recursive: true });
    const config = JSON.parse(readFileSync(at("orphan/adapter_config.json"), "utf8"));
    writeFileSync(at("orphan/adapter_config.json"), JSON.stringify({ ...config, base_model_name_or_path: "gone" }));
    await mistake(/the model of the adapter .*orphan: there is no folder .*gone,/, "orphan", "--out", "x");
    expect((await viva(folder, "export", "full", "--out", "x", "--max-shard-size", "5")).code).toBe(2);
    expect((await viva(folder, "export", "full", "--out", "x", "--dtype", "int8")).code).toBe(2);
    expect(existsSync(at("x"))).toBe(false);
  });
});

describe("viva derive", () => {
  it("prunes the exact share of every matrix inside the stacks, and nothing else", async () => {
    await vivaOk(folder, "export", "lora", "--out", "dense");
    await vivaOk(folder, "derive", "lora", "--prune", "magnitude", "--sparsity", "0.5", "--out", "pruned");
    const [dense, pruned] = [openWeights(at("dense")), openWeights(at("pruned"))];
    let changed = 0;
    for (const name of dense.names) {
      const [before, after] = [dense.readFloat32(name), pruned.readFloat32(name)];
      const dropped = after.filter((value, i) => value === 0 && before[i] !== 0).length;
      if (dropped === 0) expect(after, name).toEqual(before);
      else {
        changed++;
        expect(dropped, name).toBe(Math.round(before.length / 2));
        expect(name).toMatch(/(layers|blocks|merger)\..*weight$/);
      }
    }
    expect(changed).toBeGreaterThan(4);
    dense.close();
    pruned.close();
    expect(card("pruned").text).toContain("Its matrices are changed after training: 50 % pruned by magnitude.");
    expect(difference(await logProbs("pruned"), await logProbs("lora"))).toBeGreaterThan(1e-3);
  });

  it("answers a mistake with one sentence", async () => {
    const mistake = async (pattern: RegExp, ...args: readonly string[]) =>
      expectMistake(await viva(folder, "derive", "full", "--out", "y", ...args), pattern);
    await mistake(/needs one of: --quantize int8 or int4, --prune magnitude, random, wanda, gradient/);
    await mistake(/--prune METHOD and --sparsity SHARE belong together/, "--prune", "magnitude");
    await mistake(/--search-scales belongs to --quantize/, "--prune", "random", "--sparsity", "0.1", "--search-scales");
  });
});

describe("viva merge", () => {
  it("gives an adapter's own model for equal adapters, and refuses what is no adapter of one model", async () => {
    cpSync(at("lora/checkpoints/step-000008"), at("twin"), { recursive: true });
    await vivaOk(folder, "export", "lora", "--out", "alone");
    for (const method of ["mean", "ties"]) {
      await vivaOk(folder, "merge", "lora", "twin", "--method", method, "--density", "1", "--out", `by-${method}`);
      expect(difference(await logProbs(`by-${method}`), await logProbs("alone"))).toBeLessThan(1e-5);
    }
    const mistake = async (pattern: RegExp, ...args: readonly string[]) =>
      expectMistake(await viva(folder, "merge", ...args, "--out", "z"), pattern);
    await mistake(/full is a whole model and no adapter/, "lora", "full");
    await mistake(/needs two adapters or more/, "lora");
    await mistake(/--weights has 3 numbers for 2 adapters/, "lora", "twin", "--weights", "1,2,3");
    expect(existsSync(at("z"))).toBe(false);
  });
});
