/** A reward from a module of the user's own, named in the recipe by its path; nothing is loaded that was not named so. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, isAbsolute, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { RunError, UserError } from "../core/errors.ts";
import { moduleErrorText } from "./module-errors.ts";
import type { Reward, RewardContext } from "./reward.ts";

const EXTENSIONS = [".ts", ".mts", ".js", ".mjs"];

/**
 * The reward that a module exports as default or as `reward`: a Reward, or a function of options and context that gives
 * one. Throws UserError for a path, a module or an export that cannot be used; what it throws later names the module.
 */
export async function customReward(
  name: string,
  path: string,
  options: object,
  context: RewardContext,
): Promise<Reward> {
  const fail = (problem: string, cause?: unknown): never => {
    throw new UserError(`reward "${name}": module ${path}: ${problem}`, { cause });
  };
  const file = isAbsolute(path) ? path : resolve(path);
  if (!EXTENSIONS.includes(extname(file))) fail(`must be a file ending in ${EXTENSIONS.join(", ")}`);
  if (!existsSync(file)) fail("no such file");
  const exported = await load(file).catch((error: unknown) => fail(moduleErrorText(error, file), error));
  const given = exportOf(exported) ?? exportOf((exported as { readonly default?: object }).default ?? {});
  if (given === undefined) fail("exports neither default nor reward");
  if (typeof given !== "function" && Object.keys(options).length > 0) {
    fail(`exports a reward that takes no options, got ${Object.keys(options).join(", ")}; export a function of them`);
  }
  const made: unknown =
    typeof given === "function"
      ? await Promise.resolve()
          .then(() => given(options, context))
          .catch((error: unknown) => fail(moduleErrorText(error, file), error))
      : given;
  return guarded(checked(made, fail), name, path, file);
}

/** The export that is meant; a module that was made CommonJS on its way has it one level deeper, below its own default. */
function exportOf(exports: object): unknown {
  const { default: main, reward } = exports as { readonly default?: unknown; readonly reward?: unknown };
  const isWrapper =
    typeof main === "object" && main !== null && !("score" in main) && ("default" in main || "reward" in main);
  return isWrapper ? undefined : (main ?? reward);
}

function checked(made: unknown, fail: (problem: string) => never): Reward {
  if (typeof made !== "object" || made === null)
    return fail(`must give a reward, an object with score; got ${typeof made}`);
  const { score, evidence, range } = made as Partial<Reward>;
  if (typeof score !== "function") return fail("its reward has no function score(example, completions)");
  if (evidence !== undefined && typeof evidence !== "function") return fail("its reward's evidence must be a function");
  if (range !== undefined) {
    const [low, high] = Array.isArray(range) ? (range as readonly unknown[]) : [];
    const isRange = typeof low === "number" && typeof high === "number" && low <= high;
    if (!isRange) return fail("its reward's range must be two numbers, the smaller first");
  }
  return made as Reward;
}

/** The module's reward under the recipe's name; an exception of its own becomes a sentence that names it. */
function guarded(reward: Reward, name: string, path: string, file: string): Reward {
  const failed = (error: unknown): never => {
    if (error instanceof UserError || error instanceof RunError) throw error;
    throw new RunError(`reward "${name}" of ${path} failed: ${moduleErrorText(error, file)}`, { cause: error });
  };
  return {
    name,
    ...(reward.range === undefined ? {} : { range: reward.range }),
    score: async (example, completions, log) => {
      try {
        const scores: unknown = await reward.score(example, completions, log);
        if (!Array.isArray(scores))
          throw new TypeError(`score must give a list of numbers and nulls, got ${typeof scores}`);
        return scores;
      } catch (error) {
        return failed(error);
      }
    },
    evidence: (example, completions) => {
      try {
        return reward.evidence?.(example, completions) ?? [];
      } catch (error) {
        return failed(error);
      }
    },
  };
}

/** Imports a file. A Node that knows no TypeScript gets tsx's help where tsx is installed, beside viva or beside the file. */
async function load(file: string): Promise<object> {
  const url = pathToFileURL(file).href;
  try {
    return (await import(url)) as object;
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_UNKNOWN_FILE_EXTENSION") throw error;
    const tsImport = await typescriptImport(file);
    return (await tsImport(url, import.meta.url)) as object;
  }
}

type TsImport = (url: string, parent: string) => Promise<unknown>;

async function typescriptImport(file: string): Promise<TsImport> {
  for (const from of [file, import.meta.url]) {
    try {
      const required = createRequire(from).resolve("tsx/esm/api");
      const api = required.replace(/\.cjs$/, ".mjs"); // what `require` finds; the form for `import` lies beside it
      return ((await import(pathToFileURL(api).href)) as { tsImport: TsImport }).tsImport;
    } catch {} // not installed there
  }
  throw new Error(
    `Node ${process.version} reads no TypeScript: use Node 22.18 or later, install tsx beside the module, or write it in JavaScript`,
  );
}
