/**
 * The call in a turn of the policy: the last `<tool_call>{"name": …, "arguments": {…}}</tool_call>` of its text, the form
 * of Qwen's chat templates (Hermes). Any text gives a result; none throws.
 */
import type { ToolCall } from "../core/records.ts";

export const CALL_OPEN = "<tool_call>";
export const CALL_CLOSE = "</tool_call>";

/** A call, what is wrong with one, or null where there is none. */
export type ParsedCall = { readonly call: ToolCall } | { readonly problem: string };

export function parseToolCall(text: string): ParsedCall | null {
  const close = text.lastIndexOf(CALL_CLOSE);
  if (close < 0) return null;
  const open = text.lastIndexOf(CALL_OPEN, close);
  if (open < 0) return { problem: `${CALL_CLOSE} without ${CALL_OPEN}` };
  const value = parsed(text.slice(open + CALL_OPEN.length, close));
  if (!isObject(value)) return { problem: FORM };
  const { name, arguments: given = {} } = value;
  if (typeof name !== "string" || name === "" || !isObject(given)) return { problem: FORM };
  return { call: { name, arguments: given } };
}

const FORM = 'a call is a JSON object {"name": "…", "arguments": {…}}';

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
