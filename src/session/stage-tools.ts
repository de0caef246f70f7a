/** The environments that a recipe's stages name, opened, with the prompts that tell of their tools. */
import type { PromptStyle } from "../answers/prompts.ts";
import { promptWithTools } from "../answers/tool-prompt.ts";
import type { Recipe } from "../recipes/schema.ts";
import { environmentOf, evaluationEnvironment } from "../recipes/stage-kinds.ts";
import { type EnvironmentSettings, openEnvironment } from "../tools/index.ts";
import type { OpenedTools } from "../tools/trajectories.ts";
import { readWorkflow } from "../tools/workflow.ts";

export interface RunTools {
  /** By stage; null where completions have one turn. */
  readonly stages: readonly (OpenedTools | null)[];
  /** What evaluations answer with. */
  readonly evaluation: OpenedTools | null;
  close(): Promise<void>;
}

/** Throws UserError for what an environment names and cannot have. */
export async function openRunTools(recipe: Recipe, prompt: PromptStyle): Promise<RunTools> {
  const opened: OpenedTools[] = [];
  const open = async (settings: EnvironmentSettings | null) => {
    if (settings === null) return null;
    const tools = await openTools(settings, prompt);
    opened.push(tools);
    return tools;
  };
  const close = async () => {
    for (const { environment } of opened) await environment.close();
  };
  try {
    const stages: (OpenedTools | null)[] = [];
    for (const stage of recipe.stages) stages.push(await open(environmentOf(stage)));
    return { stages, evaluation: await open(evaluationEnvironment(recipe)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

export async function openTools(settings: EnvironmentSettings, prompt: PromptStyle): Promise<OpenedTools> {
  const environment = await openEnvironment(settings);
  const { describe, turn_length: turnLength, workflow: file } = settings;
  try {
    const workflow = file === null ? null : readWorkflow(file, environment.tools);
    const described = promptWithTools(prompt, describe ? environment.tools : [], workflow?.text);
    return { environment, turnLength, prompt: described, required: workflow?.calls ?? [] };
  } catch (error) {
    await environment.close();
    throw error;
  }
}

/** The prompt with the most to tell: what the lengths of data are checked with. */
export function longestPrompt(prompt: PromptStyle, { stages, evaluation }: RunTools): PromptStyle {
  const all = [prompt, ...[...stages, evaluation].flatMap((tools) => (tools === null ? [] : [tools.prompt]))];
  return all.reduce((a, b) => ((b.system ?? "").length > (a.system ?? "").length ? b : a));
}
