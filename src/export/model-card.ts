/**
 * The model card of an export: metadata that the Hub reads from README.md, and what a reader needs to judge the model.
 */
import { existsSync, readFileSync } from "node:fs";
import { basename, isAbsolute, join } from "node:path";
import { parse, stringify } from "yaml";
import { meanOf } from "../core/mean.ts";
import { percent } from "../core/percent.ts";
import { findDataset } from "../data/index.ts";
import type { EvalSummary } from "../evaluate/index.ts";
import { parseHubName } from "../io/hub/index.ts";
import type { AdapterConfig } from "../models/adapter-files.ts";
import { loadRecipe, resolvedYaml } from "../recipes/load.ts";
import type { DatasetSpec, Recipe } from "../recipes/schema.ts";
import { readJsonl } from "../runs/jsonl.ts";
import { runPaths, stepOfName } from "../runs/run-folder.ts";
import { verdictSentence } from "../runs/verdict.ts";

/** The model that was trained or adapted. */
export interface BaseModel {
  /** Its name in the card: its name on the Hub, else its folder's. */
  readonly name: string;
  readonly hubName: string | null;
  /** The licence keys of its own card. */
  readonly licence: Readonly<Record<string, unknown>>;
}

/** A run's records up to the checkpoint. */
export interface RunFacts {
  readonly recipe: Recipe;
  /** Comment lines of recipe.yaml: content hashes. */
  readonly notes: readonly string[];
  readonly step: number | null;
  readonly evaluations: readonly (EvalSummary & { readonly step: number; readonly stage: string })[];
  readonly metrics: readonly Readonly<Record<string, unknown>>[];
}

export interface CardFacts {
  readonly name: string;
  readonly what: "adapter" | "merged";
  readonly adapter: AdapterConfig | null;
  readonly base: BaseModel | null;
  readonly run: RunFacts | null;
  /** What data of one's own is called; null: by its folder. */
  readonly dataName: string | null;
  /** What was done to the matrices after training, such as "int4"; null for nothing. */
  readonly derivation: string | null;
}

/** The base model from its folder, or by the Hub name in a recipe; `hubName` overrides the inferred name. */
export function baseModel(folder: string, hubName?: string): BaseModel {
  const cached = /models--([^/\\]+?)--([^/\\]+)[/\\]snapshots[/\\]/.exec(folder);
  const named = parseHubName(folder)?.name ?? null;
  const known = hubName ?? (cached === null ? named : `${cached[1]}/${cached[2]}`);
  return { name: known ?? basename(folder), hubName: known, licence: licenceOf(folder) };
}

/** Reads a run's records up to the checkpoint in `folder`. */
export function runFacts(run: string, folder: string): RunFacts {
  const paths = runPaths(run);
  const step = stepOfName(basename(folder));
  const until = <T extends { readonly step: number }>(lines: readonly T[]) =>
    lines.filter((line) => step === null || line.step <= step);
  const evals = existsSync(paths.evals)
    ? readJsonl<RunFacts["evaluations"][number] & { kind: string }>(paths.evals)
    : [];
  const metrics = existsSync(paths.metrics) ? readJsonl<{ step: number }>(paths.metrics) : [];
  return {
    recipe: loadRecipe(paths.recipe).recipe,
    notes: readFileSync(paths.recipe, "utf8")
      .split("\n")
      .filter((line) => line.startsWith("# ")),
    step,
    evaluations: until(evals.filter(({ kind }) => kind === "summary")),
    metrics: until(metrics),
  };
}

/** The whole README.md. */
export function modelCard(facts: CardFacts): string {
  const parts = [frontMatter(facts), `# ${facts.name}`, introduction(facts), LIMITS];
  if (facts.run !== null)
    parts.push(dataSection(facts.run, facts.dataName), resultsSection(facts.run), trainingSection(facts.run));
  return `${parts.join("\n\n")}\n`;
}

const LIMITS = `## Limits

For research use only. This is not a medical device: it must not be used to diagnose, to treat, or to decide anything about a patient. Accuracy was measured on the questions named here and says nothing about other hospitals, scanners, findings or ways of asking. Weights trained on patient data can remember some of it.`;

function frontMatter({ what, adapter, base, run }: CardFacts): string {
  const stages = run?.recipe.stages.map(({ kind }) => kind) ?? [];
  const datasets = run === null ? [] : [run.recipe.data.train].flatMap((spec) => hubNameOf(spec) ?? []);
  const matter = {
    ...(base?.hubName
      ? { base_model: base.hubName, base_model_relation: what === "adapter" ? "adapter" : "finetune" }
      : {}),
    ...(datasets.length > 0 ? { datasets } : {}),
    ...base?.licence,
    library_name: what === "adapter" ? "peft" : "transformers",
    pipeline_tag: "image-text-to-text",
    tags: [
      ...new Set(["viva", "medical", "visual-question-answering", ...stages, ...(adapter === null ? [] : ["lora"])]),
    ],
  };
  return `---\n${stringify(matter)}---`;
}

function introduction({ what, adapter, base, run, derivation }: CardFacts): string {
  const of = base === null ? "a model trained from random weights" : `the base model ${base.name}`;
  const form =
    what === "adapter"
      ? `A LoRA adapter (rank ${adapter!.r}, alpha ${adapter!.lora_alpha}) in PEFT's layout for ${of}.`
      : adapter !== null
        ? `The weights of ${of} with a LoRA adapter (rank ${adapter.r}, alpha ${adapter.lora_alpha}) merged into them.`
        : base === null && run !== null
          ? "All weights of a model trained from random weights."
          : base === null
            ? "All weights of a model."
            : `All weights of ${of}, trained further.`;
  const trained =
    run === null ? "Made with viva." : `Trained with viva to answer questions about medical images, ${course(run)}.`;
  const changed = derivation === null ? "" : ` Its matrices are changed after training: ${derivation}.`;
  return `${form} ${trained}${changed}`;
}

function course({ recipe, step }: RunFacts): string {
  const stages = recipe.stages.map(({ kind }) => kind).join(", then ");
  return `${stages}${step === null ? "" : `; this is step ${step}`}`;
}

function dataSection({ recipe, notes }: RunFacts, dataName: string | null): string {
  const line = (role: string, spec: DatasetSpec) => {
    const { description, licence, isOwn = false } = findDataset(spec.name);
    if (isOwn) {
      const name = dataName ?? (spec.path === null ? spec.name : basename(spec.path));
      return `- ${role}: ${name}, split \`${spec.split}\`. Questions and images of those who trained the model; ask them for the licence.`;
    }
    return `- ${role}: \`${spec.name}\`, split \`${spec.split}\`. ${description}. Licence: ${licence}.`;
  };
  const lines = [line("Trained on", recipe.data.train)];
  if (recipe.data.eval !== null) lines.push(line("Measured on", recipe.data.eval));
  const hashes = notes.map((note) => `- ${note.slice(2)}`);
  return ["## Data", "", ...lines, ...(hashes.length > 0 ? ["", "SHA-256 of what was used:", "", ...hashes] : [])].join(
    "\n",
  );
}

function resultsSection({ evaluations }: RunFacts): string {
  const last = evaluations.at(-1);
  if (last === undefined) return "## Results\n\nThe run has no evaluation up to this checkpoint.";
  const subsets = Object.entries(last.subsets);
  const names = Object.keys(last.subsets.overall?.baselines ?? {});
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const header = [
    "questions",
    "n",
    "accuracy % [95 % interval]",
    "token F1 %",
    ...names.map((name) => `${name.replaceAll("_", " ")} %`),
  ];
  const rows = subsets.map(([name, { n, accuracy, token_f1, baselines }]) => [
    name,
    String(n),
    `${percent(accuracy.estimate)} [${percent(accuracy.low)}, ${percent(accuracy.high)}]`,
    percent(token_f1.estimate),
    ...names.map((baseline) => (baselines[baseline] === undefined ? "" : percent(baselines[baseline].accuracy))),
  ]);
  const stations = evaluations.map(({ step, stage, subsets: { overall } }) => {
    const { estimate, low, high } = overall!.accuracy;
    return `step ${step} (${stage}) ${percent(estimate)} [${percent(low)}, ${percent(high)}]`;
  });
  const judged = last.subsets.overall?.verdict;
  const verdict = judged === undefined ? [] : ["", `Verdict: ${verdictSentence(judged)}`];
  return [
    "## Results",
    "",
    `Protocol \`${last.protocol}\`, after step ${last.step}; intervals are bootstrapped over patients or images.`,
    "",
    row(header),
    row(header.map(() => "---")),
    ...rows.map(row),
    ...verdict,
    "",
    `Accuracy on all questions in the course of training: ${stations.join("; ")}.`,
  ].join("\n");
}

function trainingSection({ recipe, metrics }: RunFacts): string {
  const lines = [...new Set(recipe.stages.map(({ kind }) => kind))].flatMap((kind) => {
    const own = metrics.filter(({ stage }) => stage === kind);
    const key = own.some((line) => typeof line["reward/mean"] === "number") ? "reward/mean" : "loss";
    const values = own.map((line) => line[key]).filter((value) => typeof value === "number");
    if (values.length === 0) return [];
    const fifth = Math.max(1, Math.floor(values.length / 5));
    const mean = (part: readonly number[]) => meanOf(part).toFixed(3);
    return [
      `- ${kind}: ${values.length} steps, ${key} ${mean(values.slice(0, fifth))} in the first fifth, ${mean(values.slice(-fifth))} in the last`,
    ];
  });
  const yaml = resolvedYaml(withoutFolders(recipe)).trimEnd();
  return [
    "## Training",
    "",
    ...lines,
    "",
    "The recipe, with folders reduced to their last component:",
    "",
    "```yaml",
    yaml,
    "```",
  ].join("\n");
}

/** Removes folder paths: they are meaningless elsewhere, and can contain names of people and places. */
function withoutFolders<T>(value: T): T {
  if (typeof value === "string") return (isAbsolute(value) ? basename(value) : value) as T;
  if (Array.isArray(value)) return value.map(withoutFolders) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, withoutFolders(part)])) as T;
}

/** A data set's name on the Hub: the one it was read from, else its known one. */
function hubNameOf({ name, path }: DatasetSpec): string | null {
  const taken = path === null ? null : parseHubName(path);
  return taken?.name ?? findDataset(name).hubName ?? null;
}

/** license, license_name and license_link from a folder's own card; empty if it has none. */
function licenceOf(folder: string): Record<string, unknown> {
  const card = join(folder, "README.md");
  const matter = existsSync(card) ? /^---\r?\n([\s\S]*?)\r?\n---/.exec(readFileSync(card, "utf8")) : null;
  if (matter === null) return {};
  let fields: unknown;
  try {
    fields = parse(matter[1]!);
  } catch {
    return {}; // another tool's card; unreadable metadata is not copied
  }
  const keys = ["license", "license_name", "license_link"];
  return Object.fromEntries(Object.entries(fields ?? {}).filter(([key]) => keys.includes(key)));
}
