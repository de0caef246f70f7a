/** A choice of a request with tools: a call is taken out of the text and ends the choice. */
import { randomUUID } from "node:crypto";
import { toolText } from "../answers/tool-prompt.ts";
import type { Message, ToolSpec } from "../core/records.ts";
import { CALL_CLOSE, CALL_OPEN, parseToolCall } from "../tools/parse-call.ts";
import type { Choice, ChoiceDelta } from "./choice.ts";
import { overlap } from "./stop-scan.ts";

/** Whether the model may call, must call, or must call one tool. */
export type ToolChoice = "none" | "auto" | "required" | { readonly name: string };

/** The messages with the tools in their system message. */
export function tellTools(messages: readonly Message[], tools: readonly ToolSpec[]): readonly Message[] {
  if (tools.length === 0) return messages;
  const text = { type: "text", text: toolText(tools) } as const;
  const [first, ...others] = messages;
  if (first?.role !== "system") return [{ role: "system", content: [text] }, ...messages];
  return [{ ...first, content: [...first.content, { type: "text", text: `\n\n${text.text}` }] }, ...others];
}

/** What the assistant's turn begins with where it must be a call. */
export function callPrefix(choice: ToolChoice): string {
  if (choice === "none" || choice === "auto") return "";
  const opened = `${CALL_OPEN}{"name": "`;
  return choice === "required" ? opened : `${opened}${choice.name}", "arguments": `;
}

/** `prefix`: the beginning of a call that the prompt already has. What is no call that can be read stays text. */
export function withCalls(choice: Choice, prefix: string): Choice {
  let all = prefix;
  /** Characters that were given, or belong to the prompt. */
  let given = prefix.length;
  const give = (delta: ChoiceDelta, to: number): ChoiceDelta => {
    const text = all.slice(given, Math.max(given, to));
    given = Math.max(given, to);
    return { ...delta, text };
  };
  return {
    push(token) {
      const delta = choice.push(token);
      const ends = delta.finishReason !== null;
      all += delta.text;
      const open = all.indexOf(CALL_OPEN);
      if (open < 0) return give(delta, ends ? all.length : all.length - overlap(all, CALL_OPEN));
      const close = all.indexOf(CALL_CLOSE, open);
      if (close < 0) return give(delta, ends ? all.length : open);
      const parsed = parseToolCall(all.slice(open, close + CALL_CLOSE.length));
      if (parsed === null || "problem" in parsed) {
        return { ...give(delta, all.length), finishReason: delta.finishReason ?? "stop" };
      }
      const { name, arguments: own } = parsed.call;
      const toolCall = { id: `call_${randomUUID()}`, name, arguments: JSON.stringify(own) };
      return { ...give(delta, open), toolCall, finishReason: "tool_calls" };
    },
  };
}
