/** viva train: runs a recipe, or goes on with a run. */
import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { Command } from "commander";
import { messageOf, RunError, UserError } from "../core/errors.ts";
import { shellWord } from "../core/shell-word.ts";
import type { TrainResult } from "../pipeline/train-recipe.ts";
import { type Extension, extensionOf } from "../recipes/extension.ts";
import type { LoadedRecipe } from "../recipes/load.ts";
import { replaceFile } from "../runs/durable.ts";
import { createReporter, type Reporter } from "../runs/reporter.ts";
import { defaultRunFolder, isRun, runPaths } from "../runs/run-folder.ts";
import { collect, type Interruption } from "./arguments.ts";
import { openCluster, rayOption, resourcesOption, startRecipeServer } from "./on-ray.ts";
import { startUiBeside } from "./ui-beside.ts";

interface TrainOptions {
  readonly set: readonly string[];
  readonly run?: string;
  readonly resume?: boolean;
  readonly allowChangedData?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly report?: boolean;
  readonly ray?: string;
  readonly resources?: string;
  readonly ui?: boolean;
}

export function trainCommand(interruption: Interruption, version: string): Command {
  return new Command("train")
    .argument("[recipe]", "YAML file; may be left out with --resume")
    .option("--set <key=value>", "override a key of the recipe, e.g. stages.0.steps=10 (repeatable)", collect, [])
    .option("--run <folder>", "run folder (default: runs/<name>-<time>)")
    .option("--resume", "go on with the run in --run from its newest whole checkpoint")
    .option(
      "--allow-changed-data",
      "with --resume: go on although data changed since, a mended image say; it is recorded",
    )
    .option("--no-report", "write no report.html at the end")
    .addOption(rayOption())
    .addOption(resourcesOption())
    .option("--ui", "open the pages of viva ui beside the run, in a process of their own")
    .option("--json", "progress as JSON lines")
    .option("--quiet", "warnings and errors only")
    .action(async (recipe: string | undefined, options: TrainOptions) => {
      await interruption.during(async (signal) => {
        const reporter = createReporter(options);
        try {
          const { ray, resources } = options;
          if (ray === undefined && resources !== undefined) throw new UserError("train: --resources needs --ray");
          const { folder } = await (ray === undefined
            ? train(recipe, options, reporter, signal)
            : trainOnRay(recipe, { ...options, ray }, version, reporter, signal));
          reporter.message(`run folder: ${folder}`);
        } finally {
          reporter.close();
        }
      });
    });
}

/** The recipe of a new run, or of one that goes on, with what it is to have more of. */
type AskedRecipe = LoadedRecipe & { readonly extension: Extension | null };

/** Trains in a new run folder or resumes one, and writes its report; returns where it is. */
export async function train(
  recipeFile: string | undefined,
  options: TrainOptions,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<TrainResult & { readonly folder: string }> {
  const { runRecipe } = await import("../pipeline/run-recipe.ts");
  const resume = options.resume ?? false;
  const loaded = await (resume ? loadRun(recipeFile, options) : loadNew(recipeFile, options));
  const folder = resolve(options.run ?? defaultRunFolder(loaded.recipe.name));
  const { allowChangedData = false } = options;
  if (allowChangedData && !resume) throw new UserError("--allow-changed-data needs --resume");
  const { extension } = loaded;
  const startServer = () => startRecipeServer(loaded.recipe.engine, (text) => reporter.message(text), signal);
  let endUi: (() => void) | null = null;
  try {
    if (options.ui === true) endUi = startUiBeside(folder, loaded.recipe, reporter);
    const asked = { resume, extension, allowChangedData };
    const result = await runRecipe(loaded, folder, { reporter, ...asked, startServer, signal });
    if (options.report !== false) await reportOn(folder, reporter);
    return { ...result, folder };
  } finally {
    endUi?.();
  }
}

/** Trains as a job of a Ray cluster: the recipe, with its paths made absolute, lies beside the run's folder. */
async function trainOnRay(
  recipeFile: string | undefined,
  options: TrainOptions & { readonly ray: string },
  version: string,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<{ readonly folder: string }> {
  const { resume = false, allowChangedData = false } = options;
  if (options.ui) throw new UserError("train --ray: watch a run on a cluster with viva ui, and leave --ui out");
  const loaded = await (resume ? loadRun(recipeFile, options) : loadNew(recipeFile, options));
  if (loaded.extension !== null || allowChangedData) {
    throw new UserError(
      "train --ray: a run that goes on there goes on as it is: leave the recipe and other options out",
    );
  }
  const folder = resolve(options.run ?? defaultRunFolder(loaded.recipe.name));
  const jobs = `${folder}.jobs`;
  const onNotice = (text: string) => reporter.message(text);
  const cluster = await openCluster(options, version, { jobs, recipes: [loaded.recipe], onNotice, signal });
  const recipe = join(jobs, "recipe.yaml");
  if (!resume) replaceFile(recipe, loaded.yaml);
  const run = { name: `viva-${basename(folder)}`, folder, recipe: resume ? null : recipe };
  const outcome = await cluster.train(run, (info) => reporter.step(info));
  if (!outcome.ok) {
    if (signal.aborted && isRun(folder))
      reporter.warn(`stopped; to go on: viva train --run ${shellWord(folder)} --resume`);
    signal.throwIfAborted();
    throw new RunError(outcome.message);
  }
  if (options.report !== false) await reportOn(folder, reporter);
  return { folder };
}

/** A run whose report fails is a good run all the same. */
async function reportOn(folder: string, reporter: Reporter): Promise<void> {
  const { report } = await import("./report.ts");
  try {
    const { file } = await report([folder]);
    reporter.message(`report: ${file}`);
  } catch (error) {
    reporter.warn(`the report could not be written: ${messageOf(error)}; try viva report ${folder}`);
  }
}

async function loadNew(recipeFile: string | undefined, { run, set }: TrainOptions): Promise<AskedRecipe> {
  const { loadRecipe } = await import("../recipes/load.ts");
  if (recipeFile === undefined) throw new UserError("train: name a recipe, or a run with --run and --resume");
  if (run !== undefined && isRun(run)) {
    throw new UserError(`${run} holds a run already: go on with --resume, or choose another --run`);
  }
  return { ...loadRecipe(recipeFile, set), extension: null };
}

/** The recipe of the run; a recipe named beside it, or --set, may only add steps to its last stage. */
async function loadRun(recipeFile: string | undefined, { run, set }: TrainOptions): Promise<AskedRecipe> {
  const { loadRecipe, resolvedYaml } = await import("../recipes/load.ts");
  const { pinnedLike } = await import("../session/recipe-sources.ts");
  if (run === undefined) throw new UserError("train --resume: name the run with --run");
  if (!existsSync(run) || !isRun(run)) throw new UserError(`${run}: there is no run to resume`);
  const own = loadRecipe(runPaths(run).recipe);
  if (recipeFile === undefined && set.length === 0) return { ...own, extension: null };
  const asked = pinnedLike(loadRecipe(recipeFile ?? runPaths(run).recipe, set).recipe, own.recipe);
  const extension = extensionOf(own.recipe, asked);
  return extension === null ? { ...own, extension } : { recipe: asked, yaml: resolvedYaml(asked), extension };
}
