/** NeMo-Gym's resources server: a rollout of the Responses API comes with the row of its data, and goes back with its reward. */
import type { ImageRef } from "../../core/records.ts";
import { badRequest } from "../api-error.ts";
import { dataUrlBytes } from "../messages.ts";
import { type Fields, knownComponents, listAt, numberOf, objectAt, type RewardDialect } from "./dialect.ts";

export const nemoGym: RewardDialect = {
  path: "/verify",
  read(body) {
    const { responses_create_params, response, ...columns } = objectAt(body, "body");
    const { input } = objectAt(responses_create_params, "responses_create_params");
    const asked = readInput(input);
    const { text, ids } = readOutput(response);
    const row = {
      ...(asked.text === null ? {} : { question: asked.text }),
      ...columns,
      completion: text,
      ...(ids === null ? {} : { completion_ids: ids }),
    };
    return { rows: [{ columns: row, images: asked.images }], step: null };
  },
  answer(body, { rows }) {
    const row = rows[0]!;
    return { ...objectAt(body, "body"), reward: numberOf(row, 0), reward_components: knownComponents(row) };
  },
};

const isText = (value: unknown): value is string => typeof value === "string";

/** The text of the last user message, and the images of all. */
function readInput(input: unknown): { readonly text: string | null; readonly images: readonly ImageRef[] } {
  if (isText(input)) return { text: input, images: [] };
  const images: ImageRef[] = [];
  let text: string | null = null;
  for (const [m, message] of listAt(input, "responses_create_params.input").entries()) {
    const { role, content } = objectAt(message, `responses_create_params.input[${m}]`);
    if (role !== "user") continue;
    const parts = isText(content) ? [{ type: "input_text", text: content }] : listAt(content, `input[${m}].content`);
    const fields = parts.map((part, p) => objectAt(part, `input[${m}].content[${p}]`));
    text = fields
      .flatMap((part) => (part["type"] === "input_text" && isText(part["text"]) ? [part["text"]] : []))
      .join("");
    for (const [p, part] of fields.entries()) {
      if (part["type"] !== "input_image") continue;
      const path = `responses_create_params.input[${m}].content[${p}].image_url`;
      if (!isText(part["image_url"])) throw badRequest(path, `${path} must be a data URL`);
      images.push({ path, bytes: dataUrlBytes(part["image_url"], path) });
    }
  }
  return { text, images };
}

/** The text of the answer, its reasoning in tags as NeMo-Gym's own converter writes it, and its tokens where they are told. */
function readOutput(response: unknown): { readonly text: string; readonly ids: readonly unknown[] | null } {
  const output = listAt(objectAt(response, "response")["output"], "response.output");
  const items = output.map((item, i) => objectAt(item, `response.output[${i}]`));
  const said = items.map((item) => {
    if (item["type"] === "reasoning")
      return textOf(item["summary"], "summary_text", (text) => `<think>${text}</think>`);
    return item["type"] === "message" ? textOf(item["content"], "output_text", (text) => text) : "";
  });
  const last = items.at(-1)?.["generation_token_ids"];
  return { text: said.join(""), ids: items.length === 1 && Array.isArray(last) ? last : null };
}

function textOf(parts: unknown, type: string, put: (text: string) => string): string {
  const texts = (Array.isArray(parts) ? (parts as readonly Fields[]) : []).flatMap((part) =>
    part?.["type"] === type && isText(part["text"]) ? [part["text"]] : [],
  );
  return texts.map(put).join("");
}
