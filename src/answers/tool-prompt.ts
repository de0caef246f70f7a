/** How a model is told of the tools it has: in the system message, in the form of Qwen's chat templates (Hermes). */
import type { ToolSpec } from "../core/records.ts";
import type { PromptStyle } from "./prompts.ts";

/** The prompt with the tools in its system message, and after them the workflow, where there is one. */
export function promptWithTools(
  style: PromptStyle,
  tools: readonly ToolSpec[],
  workflow: string | null = null,
): PromptStyle {
  const parts = [style.system, tools.length === 0 ? null : toolText(tools), workflow].filter((part) => part !== null);
  return parts.length === 0 ? style : { ...style, system: parts.join("\n\n") };
}

export function toolText(tools: readonly ToolSpec[]): string {
  const lines = tools.map(({ name, description, parameters }) => {
    return JSON.stringify({ type: "function", function: { name, description, parameters } });
  });
  return `# Tools

You may call one function in a turn. These are the functions:
<tools>
${lines.join("\n")}
</tools>

To call one, end your turn with a JSON object with its name and arguments:
<tool_call>
{"name": "…", "arguments": {…}}
</tool_call>`;
}
