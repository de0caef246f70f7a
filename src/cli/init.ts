/** viva init: asks for data, model and device, or takes them as options, and writes a recipe that `viva check` accepts. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { createInterface, type Interface } from "node:readline/promises";
import { Command, Option } from "commander";
import { stringify } from "yaml";
import { type Device, devices } from "../core/device.ts";
import { MissingSplit, UserError } from "../core/errors.ts";
import { shippedModels } from "../core/named-paths.ts";
import { shellWord } from "../core/shell-word.ts";
import { datasets, loadDataset } from "../data/index.ts";
import { replaceFile } from "../runs/durable.ts";
import type { Interruption } from "./arguments.ts";
import { downloadReporter } from "./options.ts";

interface Options {
  readonly data?: string;
  readonly dataset?: keyof typeof datasets;
  readonly model?: string;
  readonly device?: Device;
  readonly name?: string;
  readonly json?: boolean;
}

const otherwise = { model: "viva-tiny-instruct", device: "cpu" } as const;

export function initCommand(interruption: Interruption): Command {
  return new Command("init")
    .argument("[file]", "the recipe to write", "recipe.yaml")
    .option("--data <path>", "folder or file of the questions, or hf:org/name")
    .addOption(
      new Option(
        "--dataset <name>",
        "how the data are laid out (default: jsonl, or files for those of other tools)",
      ).choices(Object.keys(datasets)),
    )
    .option("--model <model>", `model folder, a model that ships, or hf:org/name (default: ${otherwise.model})`)
    .addOption(new Option("--device <name>", `where it is computed (default: ${otherwise.device})`).choices(devices))
    .option("--name <name>", "name of the recipe (default: the data's)")
    .option("--json", "print file, recipe and what viva check says as JSON")
    .action((file: string, options: Options) => interruption.during((signal) => init(file, options, signal)));
}

async function init(file: string, given: Options, signal: AbortSignal): Promise<void> {
  const { proposeRecipe } = await import("../pipeline/propose-recipe.ts");
  const { formatCheck } = await import("./check-found.ts");
  if (existsSync(file)) throw new UserError(`${file} is there already: name another file, or remove it`);
  if (!existsSync(dirname(resolve(file)))) throw new UserError(`${file}: there is no folder ${dirname(file)}`);
  const isGenerated = given.dataset !== undefined && "generated" in datasets[given.dataset];
  const { data, model, device } = await answers(given, !isGenerated, signal);
  const dataset = given.dataset ?? layoutOf(data);
  const spec = { name: dataset, ...(data === null ? {} : { path: here(data) }) };
  const train = (await firstSplit(spec, ["train", "all"])) ?? "train";
  const evaluation = await firstSplit(spec, ["test", "validation"]);
  const { input, check } = await proposeRecipe({
    name: given.name ?? nameOf(data ?? dataset),
    model: existsSync(model) && !shippedModels().includes(model) ? here(model) : model,
    device,
    data: { train: { ...spec, split: train }, eval: evaluation === null ? null : { ...spec, split: evaluation } },
    signal,
    reporter: downloadReporter(),
  });
  const yaml = stringify(input, { lineWidth: 0 });
  replaceFile(
    file,
    `# Written by viva init. Every key: recipes.md of the documentation (viva --help says where).\n${yaml}`,
  );
  if (!check.can_run) process.exitCode = 1;
  if (given.json) {
    console.log(JSON.stringify({ file, recipe: input, check }));
    return;
  }
  const word = shellWord(file);
  const unmeasured = `\nto measure what is learned, keep some patients back: as a split test, in a file or in a field "split" of the rows`;
  console.log(
    `${formatCheck(check)}\n${evaluation === null ? unmeasured : ""}\nwritten: ${file}\nnext:    viva check ${word} --sample 4\n         viva train ${word}`,
  );
}

/** JSON lines of viva's own, or files of other tools, by the names of files alone. */
function layoutOf(data: string | null): "jsonl" | "files" {
  const found = data === null || data.startsWith("hf:") ? undefined : statSync(data, { throwIfNoEntry: false });
  if (data === null || found === undefined) return "jsonl";
  return (found.isDirectory() ? readdirSync(data) : [data]).some((name) => name.endsWith(".jsonl")) ? "jsonl" : "files";
}

interface Answers {
  readonly data: string | null;
  readonly model: string;
  readonly device: Device;
}

/** What the options say; the rest is asked on a terminal. */
async function answers(given: Options, needsData: boolean, signal: AbortSignal): Promise<Answers> {
  const { data, model, device } = given;
  const isComplete = (data !== undefined || !needsData) && model !== undefined && device !== undefined;
  if (isComplete || !process.stdin.isTTY || !process.stdout.isTTY) {
    if (data === undefined && needsData)
      throw new UserError("init: name the data with --data (a folder with train.jsonl)");
    return { data: data ?? null, model: model ?? otherwise.model, device: device ?? otherwise.device };
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const ask = (question: string, fallback: string, problem?: (answer: string) => string | null) =>
      asked(terminal, question, fallback, problem, signal);
    const isThere = (path: string) =>
      path.startsWith("hf:") || existsSync(path) ? null : `there is nothing at ${path}`;
    const isModel = (name: string) => (shippedModels().includes(name) ? null : isThere(name));
    const isDevice = (name: string) =>
      devices.some((known) => known === name) ? null : `one of ${devices.join(", ")}`;
    return {
      data: data ?? (needsData ? await ask("Folder with train.jsonl and test.jsonl", "data", isThere) : null),
      model: model ?? (await ask("Model: a folder, hf:org/name, or one that ships", otherwise.model, isModel)),
      device: device ?? ((await ask(`Device (${devices.join(", ")})`, otherwise.device, isDevice)) as Device),
    };
  } finally {
    terminal.close();
  }
}

async function asked(
  terminal: Interface,
  question: string,
  fallback: string,
  problem: (answer: string) => string | null = () => null,
  signal: AbortSignal,
): Promise<string> {
  for (;;) {
    const answer = (await terminal.question(`${question} [${fallback}]: `, { signal })).trim() || fallback;
    const wrong = problem(answer);
    if (wrong === null) return answer;
    console.log(wrong);
  }
}

/** The first of the splits that the data have; null where they have none of them. On the Hub the first is supposed to be there. */
async function firstSplit(spec: { readonly name: string; readonly path?: string }, splits: readonly string[]) {
  if (spec.path?.startsWith("hf:")) return splits[0]!;
  for (const split of splits) {
    try {
      await loadDataset({ ...spec, split, limit: 1 });
      return split;
    } catch (error) {
      if (!(error instanceof MissingSplit)) throw error;
    }
  }
  return null;
}

/** Absolute: a recipe may be moved. What is on the Hub stays. */
function here(path: string): string {
  return path.startsWith("hf:") ? path : resolve(path);
}

function nameOf(data: string): string {
  const stem = basename(
    statSync(data, { throwIfNoEntry: false })?.isFile() ? data.replace(/\.[^.]*$/, "") : resolve(data),
  );
  return stem.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "") || "my-run";
}
