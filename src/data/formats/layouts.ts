/** What rows of other tools say, in the fields of viva's own rows: a new layout is an object here. */
import { UserError } from "../../core/errors.ts";
import { optionColumns } from "../field-names.ts";
import type { Fields } from "./container.ts";
import { chatTurns, conversationTurns, questionsOf, type TurnChoice } from "./turns.ts";

/** A way to write questions and answers. */
export interface Layout {
  /** As messages call it: "LLaVA conversations". */
  readonly name: string;
  recognises(fields: Fields): boolean;
  /** The row's questions as viva's own rows, images as they were written. Throws UserError without the row's place. */
  convert(fields: Fields, turns: TurnChoice): readonly Fields[];
}

const llava: Layout = {
  name: "LLaVA conversations",
  recognises: ({ conversations }) => Array.isArray(conversations),
  convert: ({ conversations, ...row }, turns) => questionsOf(conversationTurns(conversations), row, turns),
};

const messages: Layout = {
  name: "messages, as OpenAI, ms-swift and TRL write them",
  recognises: (fields) => Array.isArray(fields["messages"]),
  convert: ({ messages: chat, ...row }, turns) => questionsOf(chatTurns(chat, "messages"), row, turns),
};

const promptCompletion: Layout = {
  name: "prompt and completion, as TRL writes them",
  recognises: ({ prompt, completion }) => prompt !== undefined && completion !== undefined,
  convert: ({ prompt, completion, ...row }, turns) => {
    const chat = [...asTurns(prompt, "user", "prompt"), ...asTurns(completion, "assistant", "completion")];
    return questionsOf(chat, row, turns);
  },
};

const promptAnswer: Layout = {
  name: "a prompt with its answer, as TRL writes them",
  recognises: ({ prompt, answer, solution }) => Array.isArray(prompt) && (answer ?? solution) !== undefined,
  convert: ({ prompt, answer, solution, ...row }, turns) => {
    const said = answer ?? solution;
    return questionsOf([...chatTurns(prompt, "prompt"), ...asTurns(String(said), "assistant", "answer")], row, turns);
  },
};

const queryResponse: Layout = {
  name: "query and response, as ms-swift writes them",
  recognises: ({ query, response }) => typeof query === "string" && typeof response === "string",
  convert: ({ query, response, system: _, history, ...row }, turns) => {
    if (Array.isArray(history) && history.length > 0) throw new UserError("has a history of further turns");
    return questionsOf([...asTurns(query, "user", "query"), ...asTurns(response, "assistant", "response")], row, turns);
  },
};

const columns: Layout = {
  name: "a question and an answer in columns",
  recognises: () => true,
  convert: ({ image, images, ...given }) => {
    const row = withOptions(given);
    if (image != null && images != null) throw new UserError('has both "image" and "images": keep one');
    const shown = images ?? image;
    return [{ ...row, images: shown == null ? [] : Array.isArray(shown) ? shown : [shown] }];
  },
};

/** The first that recognises a row has it. */
export const layouts: readonly Layout[] = [llava, messages, promptCompletion, promptAnswer, queryResponse, columns];

/** Options in columns of their own ("A", "B", … or "option_a", …) as one field. */
function withOptions(row: Fields): Fields {
  const options = row["choices"] === undefined ? optionColumns(Object.keys(row)) : null;
  if (options === null) return row;
  const columns = [...options.values()];
  const kept = Object.entries(row).filter(([name]) => !columns.includes(name));
  const choices = Object.fromEntries([...options].map(([letter, name]) => [letter, row[name]]));
  return { ...Object.fromEntries(kept), choices };
}

function asTurns(value: unknown, role: "user" | "assistant", key: string) {
  return typeof value === "string" ? chatTurns([{ role, content: value }], key) : chatTurns(value, key);
}
