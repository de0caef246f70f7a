/**
 * Chat messages as the OpenAI API has them, to viva's own. Images come inside the request: nothing is ever fetched. A key
 * that is not known is refused, in parts too: it may ask for something, such as another size of the image.
 */
import * as z from "zod";
import type { Message, MessageContent } from "../core/records.ts";
import { CALL_CLOSE, CALL_OPEN } from "../tools/parse-call.ts";
import { badRequest } from "./api-error.ts";

const textPart = z.strictObject({ type: z.literal("text"), text: z.string() });
const imagePart = z.strictObject({
  type: z.literal("image_url"),
  image_url: z.strictObject(
    {
      url: z.string(),
      // Changes nothing: the limits on image size of the model, or of its run, hold.
      detail: z.enum(["auto", "low", "high"]).optional(),
    },
    { error: "expected {url: data:image/…;base64,…}" },
  ),
});
const textContent = z.union([z.string(), z.array(textPart).min(1)], {
  error: "expected a text, or a list of parts {type: text, text}",
});
const userContent = z.union([z.string(), z.array(z.discriminatedUnion("type", [textPart, imagePart])).min(1)], {
  error: "expected a text, or a list of parts of type text and image_url",
});
const name = z.string().optional();
/** What the answers of other servers carry along, and clients send back: taken when there is nothing in it. */
const unsupported = { error: "not supported, leave it out" };
const toolCalls = z
  .array(
    z.strictObject({
      id: z.string(),
      type: z.literal("function"),
      function: z.strictObject({ name: z.string().min(1), arguments: z.string() }),
    }),
  )
  .optional();
const noText = z.literal("", unsupported).optional();
const noList = z.array(z.unknown(), unsupported).max(0, unsupported).optional();

export const messagesSchema = z
  .array(
    z.discriminatedUnion("role", [
      z.strictObject({ role: z.literal("system"), content: textContent, name }),
      z.strictObject({ role: z.literal("developer"), content: textContent, name }),
      z.strictObject({ role: z.literal("user"), content: userContent, name }),
      z.strictObject({ role: z.literal("tool"), content: userContent, tool_call_id: z.string() }),
      z.strictObject({
        role: z.literal("assistant"),
        content: textContent.optional(),
        name,
        tool_calls: toolCalls,
        annotations: noList,
        refusal: noText,
        reasoning: noText,
        reasoning_content: noText,
      }),
    ]),
  )
  .min(1);

type ChatMessage = z.output<typeof messagesSchema>[number];

/**
 * Messages that the schema has checked. Calls and what tools answered are put as in training: in the assistant's own text, and
 * as a user's turn. Throws ApiError (400) that names the part for an image that is no data URL, and an assistant's message that
 * says nothing.
 */
export function readMessages(messages: z.output<typeof messagesSchema>): readonly Message[] {
  requireCalls(messages);
  return messages.map((message, m): Message => {
    const { role } = message;
    if (role === "assistant") return { role, content: assistantText(message, m) };
    const content = partsOf(message.content, m);
    if (role !== "tool") return { role: role === "developer" ? "system" : role, content };
    return {
      role: "user",
      answersCall: true,
      content: [text("<tool_response>"), ...content, text("</tool_response>")],
    };
  });
}

/** What a tool answered goes into the prompt behind the call it answers: an id that no call has would be passed over. */
function requireCalls(messages: readonly ChatMessage[]): void {
  const calls = new Set<string>();
  for (const [m, message] of messages.entries()) {
    if (message.role === "assistant") for (const { id } of message.tool_calls ?? []) calls.add(id);
    if (message.role !== "tool" || calls.has(message.tool_call_id)) continue;
    const where = `messages[${m}].tool_call_id`;
    throw badRequest(
      where,
      `${where}: no call before it has the id ${JSON.stringify(message.tool_call_id.slice(0, 60))}`,
    );
  }
}

const text = (value: string) => ({ type: "text", text: value }) as const;

function assistantText(
  { content, tool_calls = [] }: Extract<ChatMessage, { readonly role: "assistant" }>,
  m: number,
): readonly MessageContent[] {
  if (content === undefined && tool_calls.length === 0) {
    throw badRequest(`messages[${m}].content`, `messages[${m}].content: an assistant says a text or makes a call`);
  }
  const calls = tool_calls.map(({ function: { name, arguments: given } }) =>
    text(`${CALL_OPEN}{"name": ${JSON.stringify(name)}, "arguments": ${given}}${CALL_CLOSE}`),
  );
  return [...(content === undefined ? [] : partsOf(content, m)), ...calls];
}

function partsOf(content: NonNullable<ChatMessage["content"]>, m: number): readonly MessageContent[] {
  if (typeof content === "string") return [text(content)];
  return content.map((own, p): MessageContent => {
    if (own.type === "text") return text(own.text);
    const { url } = own.image_url;
    const path = `messages[${m}].content[${p}].image_url.url`;
    return { type: "image", image: { path: path + frameOf(url), bytes: dataUrlBytes(url, path) } };
  });
}

/** The bytes of data:image/…;base64,… or data:application/dicom;base64,… . What they are is seen by their content later. */
export function dataUrlBytes(url: string, param: string): Uint8Array {
  if (!/^data:/i.test(url)) {
    const what = /^https?:/i.test(url) ? "an http address" : "no data URL";
    throw badRequest(
      param,
      `${param} is ${what}: viva fetches nothing and opens no files for a request; send the image itself as data:image/png;base64,…`,
      "invalid_image_url",
    );
  }
  const comma = url.indexOf(",");
  const header = comma < 0 ? "" : url.slice(0, Math.min(comma, 200));
  if (!/^data:(?:image\/[\w.+-]+|application\/dicom)(;[\w=-]+)*;base64$/i.test(header)) {
    throw badRequest(
      param,
      `${param}: expected data:image/…;base64,… or data:application/dicom;base64,…`,
      "invalid_image_url",
    );
  }
  const text = url.slice(comma + 1);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 === 1) {
    throw badRequest(param, `${param} is not valid base64`, "invalid_base64");
  }
  return Buffer.from(text, "base64");
}

/** The choice of a frame, as in data:application/dicom;frame=12;base64,… , as names of images spell it. */
function frameOf(url: string): string {
  const frame = /^data:[^,]{0,200};frame=([1-9]\d*)[;,]/i.exec(url.slice(0, 300))?.[1];
  return frame === undefined ? "" : `#frame=${frame}`;
}
