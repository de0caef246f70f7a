/** Renders a model's jinja chat template: messages to the prompt's text, image placeholders included. */
import { Template } from "@huggingface/jinja";
import { UserError } from "../core/errors.ts";
import type { PromptTemplate } from "../core/processor.ts";
import type { Message } from "../core/records.ts";
import { templateLine, templateProblem } from "./template-line.ts";
import { createTimeLimit } from "./time-limit.ts";

export interface ChatTemplateOptions {
  /** Ends with the opening of an assistant turn; default false. */
  readonly addGenerationPrompt?: boolean;
  /** bos_token and others that a template may name. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** Renders messages by a template to a prompt's text; throws UserError where the template cannot. */
export type RenderChat = (template: string, messages: readonly Message[], options?: ChatTemplateOptions) => string;

/** A model's own template, and the file that it stands in: errors name it. */
export interface ModelTemplate {
  readonly template: string;
  readonly source: string;
}

/**
 * A renderer that keeps the templates it has read. One that mentions images gets every message's content as a list of parts;
 * one that does not is written for strings and gets the texts joined, and an image is then a UserError.
 */
export function chatRenderer(own?: ModelTemplate): RenderChat {
  const limit = createTimeLimit();
  const known = new Map<string, Template>();
  const read = (template: string) => {
    const found = known.get(template) ?? new Template(template);
    known.set(template, found);
    return found;
  };
  return (template, messages, options = {}) => {
    const takesParts = /image/.test(template);
    const plain = messages.map(({ role, content }) => ({
      role,
      content: takesParts
        ? content.map((part) => (part.type === "image" ? { type: "image" } : { type: "text", text: part.text }))
        : content.map((part) => (part.type === "text" ? part.text : "")).join(""),
    }));
    let text: string;
    try {
      text = limit("rendering it", () =>
        read(template).render({
          ...options.variables,
          messages: plain,
          add_generation_prompt: options.addGenerationPrompt ?? false,
        }),
      );
    } catch (error) {
      const line = own?.template === template ? limit("reading it", () => templateLine(template, error)) : null;
      const where = own?.template === template ? `${own.source}${line === null ? "" : `, line ${line}`}: ` : "";
      const problem = templateProblem(error);
      throw new UserError(`${where}the model's chat template cannot be rendered: ${problem}`, { cause: error });
    }
    // Told last: a template that cannot be read at all has another fault.
    if (!takesParts && messages.some((message) => message.content.some((part) => part.type === "image"))) {
      throw new UserError(
        `${own?.template === template ? `${own.source}: ` : ""}the model's chat template has no place for images: use the template of a vision-language model`,
      );
    }
    return text;
  };
}

/** How a family writes what no chat template says. */
export interface PlainText {
  /** An image within a text. */
  readonly image: string;
  /** What every text begins with, in jinja; none where absent. */
  readonly begin?: string;
}

/** The jinja template of a kind of prompt; `chat` is the model's own. */
export function promptTemplate(kind: PromptTemplate, chat: string, { image, begin = "" }: PlainText): string {
  const part = `{{ '${image}' if part.type == 'image' else part.text }}`;
  const parts = `{%- for part in message.content -%}${part}{%- endfor -%}`;
  switch (kind) {
    case "chat":
      return chat;
    case "transcript":
      return `${begin}{%- for message in messages -%}
{{ '' if message.role == 'system' else (message.role | capitalize) + ': ' }}${parts}{{ '\\n' }}
{%- endfor -%}
{{ 'Assistant:' if add_generation_prompt else '' }}`;
    case "document":
      return `${begin}{%- for message in messages -%}${parts}{%- endfor -%}`;
  }
}
