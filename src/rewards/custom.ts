/** A reward from a module of the user's own, named in the recipe by its path; nothing is loaded that was not named so. */
import { RunError, UserError } from "../core/errors.ts";
import { exportOf, importModule, moduleFile } from "../core/import-module.ts";
import { moduleErrorText } from "../core/module-errors.ts";
import type { Reward, RewardContext } from "./reward.ts";

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
  const file = moduleFile(path, fail);
  const exported = await importModule(file).catch((error: unknown) => fail(moduleErrorText(error, file), error));
  const given = exportOf(exported, "reward", "score");
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
    ...(reward.measuresLength === true ? { measuresLength: true } : {}),
    ...(reward.comparesGroup === true ? { comparesGroup: true } : {}),
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
