/** Models as users have them: broken, of two halves, unlike what was meant, continued, and under their short names. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { openSafetensors, writeSafetensors } from "../../src/io/safetensors.ts";
import { filesBelow, jsonLines, root, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { expectMistake, set } from "./mistakes.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeRows, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const at = (...path: string[]) => join(folder, ...path);
const data = at("films");
const eachCommand: readonly (readonly string[])[] = [
  ["logprobs", "--rows", "rows.jsonl", "--out", "out.jsonl"],
  ["generate", "--rows", "rows.jsonl", "--out", "out.jsonl", "--max-completion-length", "2"],
  ["eval", "--data", "jsonl", "--path", "films", "--max-completion-length", "2", "--out", "out.jsonl"],
  ["probe", "--data", "jsonl", "--path", "films", "--probe", "decoding", "--limit", "2", "--out", "out.json"],
  ["serve", "--port", "0"],
  ["bench", "step", "--rows", "rows.jsonl", "--steps", "1"],
  ["export", "--out", "exported"],
];

/** A copy of a folder with one tensor's numbers changed. */
function withNumbers(
  name: string,
  from: string,
  file: string,
  edit: (tensor: string, data: Float32Array) => void,
): string {
  cpSync(at(from), at(name), { recursive: true });
  const stored = openSafetensors(at(from, file));
  const tensors = stored.names.map((tensor) => {
    const values = stored.readFloat32(tensor);
    edit(tensor, values);
    return { name: tensor, shape: stored.info(tensor).shape, data: values };
  });
  stored.close();
  writeSafetensors(at(name, file), tensors);
  return name;
}

function changeJson(path: string, changes: object): void {
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...changes }));
}

const lora = { r: 4, lora_alpha: 8, target_modules: ["q_proj", "v_proj"] };
const noEvaluation = { evaluate: null, checkpoint: { every: null } };

beforeAll(async () => {
  await writeFilms(data);
  writeRows(at("rows.jsonl"), [{ image: "films/images/1.jpg", question: "Is it dark?", completion: "yes" }]);
  const recipe = tinyRecipe({ model: writeTinyModel(at("random")), data });
  const [sft] = recipe.stages;
  const stages = [{ ...sft, steps: 2 }];
  writeRecipe(at("full.yaml"), { ...recipe, stages, ...noEvaluation });
  await vivaOk(folder, "train", "full.yaml", "--run", "full", "--no-report");
  cpSync(at("full/checkpoints/step-000002"), at("model"), { recursive: true });
  writeRecipe(at("pretrained.yaml"), { ...recipe, model: { path: "model" }, stages, ...noEvaluation });
  writeRecipe(at("lora.yaml"), { ...recipe, model: { path: "model", lora }, stages, ...noEvaluation });
  await vivaOk(folder, "train", "lora.yaml", "--run", "adapted", "--no-report");
  cpSync(at("adapted/checkpoints/step-000002"), at("adapter"), { recursive: true });
}, 120_000);

describe("weights that are not finite", () => {
  const sentence = (tensor: string) =>
    new RegExp(`^error: \\S+\\.safetensors: tensor "${tensor}" holds \\S+ \\(value [^\\n]+\\n$`);

  it.concurrent.each(eachCommand.map((args) => [args[0] === "bench" ? "bench step" : args[0]!, args] as const))(
    "end %s with exit code 1 and one sentence",
    async (name, args) => {
      const tensor = "model.layers.1.mlp.up_proj.weight";
      const broken = withNumbers(`nan-${name.replace(" ", "-")}`, "model", "model.safetensors", (own, values) => {
        if (own === tensor) values[5] = name.length % 2 === 0 ? Number.NaN : Number.POSITIVE_INFINITY;
      });
      const words = name.split(" ");
      const { code, stderr } = await viva(folder, ...words, broken, ...args.slice(words.length));
      expect([code, stderr]).toEqual([1, expect.stringMatching(sentence(tensor.replaceAll(".", "\\.")))]);
    },
  );

  it.concurrent.each(["lora_A", "lora_B"])("in %s of an adapter end every command too", async (part) => {
    const broken = withNumbers(`adapter-${part}`, "adapter", "adapter_model.safetensors", (name, values) => {
      if (name.includes(`layers.0.self_attn.q_proj.${part}`)) values[2] = Number.NEGATIVE_INFINITY;
    });
    for (const [name, ...args] of [eachCommand[0]!, ["export", "--what", "adapter", "--out", `a-${part}`]]) {
      const { code, stderr } = await viva(folder, name!, broken, ...args);
      expect([code, stderr]).toEqual([1, expect.stringMatching(sentence(`\\S+q_proj\\.${part}\\.weight`))]);
    }
    expect(filesBelow(folder).filter((file) => file.startsWith(`a-${part}/`))).toEqual([]);
  });

  it.concurrent("end training before there is a run", async () => {
    const broken = withNumbers("nan-train", "model", "model.safetensors", (name, values) => {
      if (name.endsWith("norm.weight")) values[0] = Number.NaN;
    });
    const { code, stderr } = await viva(
      folder,
      "train",
      "pretrained.yaml",
      "--run",
      "none-nan",
      ...set(`model.path=${broken}`),
    );
    expect([code, stderr]).toEqual([1, expect.stringMatching(sentence("\\S+norm\\.weight"))]);
    expect(filesBelow(folder).filter((file) => file.startsWith("none-nan/"))).toEqual([]);
  });

  it.concurrent("and finite ones that overflow end what they answer", async () => {
    const huge = withNumbers("huge", "model", "model.safetensors", (name, values) => {
      if (name.endsWith("up_proj.weight") || name.endsWith("down_proj.weight")) values.fill(3e37);
    });
    for (const [name, ...args] of eachCommand.filter(([command]) => !["serve", "bench", "export"].includes(command!))) {
      const { code, stderr } = await viva(folder, name!, huge, ...args);
      const expected = /: the log-prob of token 1 is NaN: the model's weights are so large .*\n$/;
      expect([code, stderr]).toEqual([1, expect.stringMatching(expected)]);
    }
  });
});

describe("a model's files", () => {
  const changed = (name: string, file: string, changes: object) => {
    cpSync(at("model"), at(name), { recursive: true });
    changeJson(at(name, file), changes);
    return name;
  };

  it.concurrent("of two models are refused by every command, with both files and keys", async () => {
    const other = changed("other-processor", "preprocessor_config.json", { patch_size: 16 });
    const sentence =
      /other-processor\/preprocessor_config\.json has patch_size 16, but \S+\/config\.json has vision_config\.patch_size 14/;
    for (const args of eachCommand.slice(0, 2)) {
      expectMistake(await viva(folder, args[0]!, other, ...args.slice(1)), sentence);
    }
    const train = ["train", "pretrained.yaml", "--run", "none-processor", ...set(`model.path=${other}`)];
    expectMistake(await viva(folder, ...train), sentence);
  });

  it.concurrent("whose generation_config.json names another token end answers at the end of a turn all the same", async () => {
    const other = changed("other-stops", "generation_config.json", { eos_token_id: [151645, 151643] });
    const draw = async (model: string, out: string) => {
      const args = ["--rows", "rows.jsonl", "--out", out, "--num-generations", "16", "--temperature", "2"];
      await vivaOk(folder, "generate", model, ...args, "--max-completion-length", "400");
      return jsonLines(folder, out)[0].completions;
    };
    const completions = await draw(other, "stops.jsonl");
    const ended = completions.filter(({ token_ids }: { token_ids: number[] }) => token_ids.includes(2042));
    expect(ended.length).toBeGreaterThan(0);
    for (const { token_ids, finish_reason, text } of ended) {
      expect([token_ids.at(-1), token_ids.indexOf(2042), finish_reason]).toEqual([2042, token_ids.length - 1, "stop"]);
      expect(text).not.toContain("<|im_end|>");
    }
    // Training, with its dry step of the longest sample, takes it too.
    const train = ["train", "pretrained.yaml", "--run", "stops-run", "--no-report"];
    await vivaOk(folder, ...train, ...set(`model.path=${other}`, "engine.dry_step=true"));
  });

  it.concurrent("without a default chat template say which one is used", async () => {
    const other = changed("no-default", "tokenizer_config.json", {
      chat_template: [{ name: "tool_use", template: "image" }],
    });
    rmSync(at(other, "chat_template.jinja"));
    const { stderr } = await vivaOk(folder, "logprobs", other, "--rows", "rows.jsonl", "--out", "no-default.jsonl");
    expect(stderr).toMatch(
      /warning: \S+tokenizer_config\.json: chat_template has tool_use and no "default": viva's own/,
    );
    const { stdout } = await vivaOk(
      folder,
      ...[
        "train",
        "pretrained.yaml",
        "--run",
        "no-default-run",
        "--no-report",
        "--json",
        ...set(`model.path=${other}`),
      ],
    );
    expect(stdout).toMatch(/"type":"warning".*tool_use and no/);
  });
});

describe("an adapter's files", () => {
  it.concurrent.each<[string, object, RegExp]>([
    [
      "a target that fits no layer",
      { target_modules: ["q_prj"] },
      /adapter_config\.json: target_modules: .* did you mean q_proj\?/,
    ],
    [
      "a layer that is not there",
      { layers_to_transform: [7] },
      /adapter_config\.json: layers_to_transform: no layer .* number 7$/m,
    ],
    ["no model", { base_model_name_or_path: null }, /base_model_name_or_path: expected the model that the adapter/],
  ])("with %s are refused by name", async (_, changes, sentence) => {
    const name = `adapter-${Object.keys(changes)[0]}`;
    cpSync(at("adapter"), at(name), { recursive: true });
    changeJson(at(name, "adapter_config.json"), changes);
    const [command, ...args] = eachCommand[0]!;
    expectMistake(await viva(folder, command!, name, ...args), sentence);
  });

  it.concurrent("given in place of their folder are told so", async () => {
    const [command, ...args] = eachCommand[0]!;
    const file = "adapter/adapter_config.json";
    expectMistake(await viva(folder, command!, file, ...args), /is a file: name the folder .* as adapter$/m);
  });
});

describe("a LoRA target", () => {
  it.concurrent("that fits no layer is a mistake beside one that fits", async () => {
    const train = ["train", "lora.yaml", "--run", "none-target"];
    expectMistake(
      await viva(folder, ...train, ...set("model.lora.target_modules=[q_proj, v_prj]")),
      /model\.lora\.target_modules: "v_prj" fits no layer beside the other keys; did you mean "v_proj"\?/,
    );
  });
});

describe("model.path", () => {
  const second = (run: string, path: string, ...changes: readonly string[]) =>
    viva(folder, "train", "pretrained.yaml", "--run", run, "--no-report", ...set(`model.path=${path}`, ...changes));
  const logProbs = async (model: string, out: string) => {
    await vivaOk(folder, "logprobs", model, "--rows", "rows.jsonl", "--out", out, "--prompt", "plain");
    return jsonLines(folder, out)[0].log_probs as number[];
  };
  /** Of a second recipe that changes nothing. */
  const still = "stages.0.learning_rate=0";

  it.concurrent("takes a run, and keeps which of its checkpoints that was", async () => {
    const started = await second("from-run", "full", still);
    expect([started.code, started.stderr]).toEqual([0, ""]);
    const { model } = parse(readFileSync(at("from-run/recipe.yaml"), "utf8"));
    expect(model).toMatchObject({ path: at("full/checkpoints/step-000002"), lora: null });
    expect(await logProbs("from-run", "from-run.jsonl")).toEqual(await logProbs("full", "full.jsonl"));
    const resume = ["train", "pretrained.yaml", "--run", "from-run", "--resume", "--no-report"];
    await vivaOk(folder, ...resume, ...set("model.path=full", still));
  });

  it.concurrent.each([
    ["a run", "adapted"],
    ["a checkpoint", "adapted/checkpoints/step-000002"],
    ["an adapter folder", "adapter"],
  ])("goes on with the adapter of %s", async (_, path) => {
    const run = `goes-on-${path.replaceAll("/", "-")}`;
    expect((await second(run, path, still)).stderr).toBe("");
    const [before, after] = ["adapter", join(run, "checkpoints/step-000002")].map((own) => at(own));
    expect(readFileSync(join(after!, "adapter_model.safetensors"))).toEqual(
      readFileSync(join(before!, "adapter_model.safetensors")),
    );
    expect(JSON.parse(readFileSync(join(after!, "adapter_config.json"), "utf8"))).toMatchObject({
      ...{ r: 4, lora_alpha: 8, target_modules: lora.target_modules, base_model_name_or_path: at("model") },
    });
    expect(readFileSync(at(run, "recipe.yaml"), "utf8")).toMatch(/^# adapter_sha256: [0-9a-f]{64}$/m);
  });

  it.concurrent("trains what it goes on with, which can be exported as ever", async () => {
    const own = await logProbs("adapted", "adapted.jsonl");
    expect((await second("moved", "adapted")).code).toBe(0);
    expect(await logProbs("moved", "moved.jsonl")).not.toEqual(own);
    const { stdout } = await vivaOk(folder, "export", "moved", "--out", "moved-model", "--json");
    expect(JSON.parse(stdout).base).toBe("model");
  });

  it.concurrent("beside model.lora goes on where that says the same, and is refused where it does not", async () => {
    const same = "model.lora={r: 4, lora_alpha: 8, target_modules: '.*(q_proj|v_proj)', lora_dropout: 0.5}";
    expect((await second("same-lora", "adapted", same, still)).stderr).toBe("");
    const saved = at("same-lora/checkpoints/step-000002/adapter_config.json");
    expect(JSON.parse(readFileSync(saved, "utf8")).lora_dropout).toBe(0.5);
    expectMistake(
      await second("none-lora", "adapted", "model.lora={r: 8, lora_alpha: 8, target_modules: [q_proj, v_proj]}"),
      /model\.lora: other layers, ranks or scales than those of the adapter \S+step-000002, which training goes on with/,
    );
    expectMistake(
      await second("none-random", "adapted", "model.init=random"),
      /model\.path: adapters need a model with/,
    );
    expectMistake(await second("none-freeze", "adapted", "model.freeze=[vision]"), /model\.freeze: adapters leave/);
    expect((await second("integers", "adapted", "model.quantize_frozen=int8", still)).stderr).toBe("");
  });

  it.concurrent("that is none of these is told so", async () => {
    mkdirSync(at("hollow"));
    expectMistake(
      await second("none-hollow", "hollow"),
      /model\.path: \S+hollow is neither a run .*nor an adapter folder/,
    );
    expectMistake(
      await second("none-revision", "full", "model.revision=v1"),
      /model\.path: \S+full is a run here, which has no/,
    );
  });
});

describe("models that ship", () => {
  it.concurrent("have short names in recipes and commands, from any folder", async () => {
    const stages = [{ kind: "sft", steps: 1, batch_size: 1 }];
    const phantoms = { train: { name: "phantom", limit: 4 } };
    const recipe = { name: "t", model: { path: "viva-tiny-instruct" }, data: phantoms, prompt: "answer_only", stages };
    writeRecipe(at("ships.yaml"), { ...recipe, evaluate: null });
    await vivaOk(folder, "train", "ships.yaml", "--run", "ships", "--no-report");
    const args = ["--rows", "rows.jsonl", "--out", "short.jsonl"];
    await vivaOk(folder, "logprobs", "viva-tiny-base", ...args);
    const short = readFileSync(at("short.jsonl"), "utf8");
    await vivaOk(folder, "logprobs", join(root, "assets/viva-tiny-base"), ...args);
    expect(readFileSync(at("short.jsonl"), "utf8")).toBe(short);
    expectMistake(
      await viva(folder, "logprobs", "viva-tiny", ...args),
      /viva-tiny holds neither model\.safetensors nor/,
    );
  });
});
