/**
 * A workflow: steps in Markdown that the policy is told, some of which require calls. A required call is a tool's name in
 * backticks in a numbered step.
 */
import { readFileSync } from "node:fs";
import { UserError } from "../core/errors.ts";
import type { ToolSpec } from "../core/records.ts";

export interface Workflow {
  /** The whole of it, for the system message. */
  readonly text: string;
  /** Names of tools, in the order of the steps that require them. */
  readonly calls: readonly string[];
}

/** Throws UserError for a file that cannot be read, and for one whose steps require no call of these tools. */
export function readWorkflow(file: string, tools: readonly ToolSpec[]): Workflow {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw new UserError(`workflow: ${file} cannot be read`, { cause });
  }
  const calls = requiredCalls(text, tools);
  if (calls.length > 0) return { text, calls };
  const names = tools.map(({ name }) => `\`${name}\``).join(", ");
  throw new UserError(`workflow: ${file}: no numbered step names a tool in backticks, of ${names}`);
}

export function requiredCalls(markdown: string, tools: readonly ToolSpec[]): readonly string[] {
  const names = new Set(tools.map(({ name }) => name));
  const steps = markdown.split("\n").filter((line) => /^\s*\d+[.)]\s/.test(line));
  const named = steps.flatMap((step) => [...step.matchAll(/`([\w.-]+)`/g)].map(([, name]) => name!));
  return named.filter((name) => names.has(name));
}
