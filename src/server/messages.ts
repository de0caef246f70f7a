/** Chat messages as the OpenAI API has them, to viva's own. Images come inside the request: nothing is ever fetched. */
import * as z from "zod";
import type { Message, MessageContent } from "../core/records.ts";
import { badRequest } from "./api-error.ts";

const textPart = z.object({ type: z.literal("text"), text: z.string() });
const imagePart = z.object({
  type: z.literal("image_url"),
  image_url: z.object({ url: z.string(), detail: z.enum(["auto", "high"]).nullish() }),
});
const part = z.discriminatedUnion("type", [textPart, imagePart]);
const name = z.string().nullish();

export const messagesSchema = z
  .array(
    z.discriminatedUnion("role", [
      z.object({ role: z.literal("system"), content: z.union([z.string(), z.array(textPart).min(1)]), name }),
      z.object({ role: z.literal("developer"), content: z.union([z.string(), z.array(textPart).min(1)]), name }),
      z.object({ role: z.literal("user"), content: z.union([z.string(), z.array(part).min(1)]), name }),
      z.object({
        role: z.literal("assistant"),
        content: z.union([z.string(), z.array(textPart).min(1)]),
        name,
        refusal: z.null().optional(),
        audio: z.null().optional(),
        tool_calls: z.array(z.never()).nullish(),
        function_call: z.null().optional(),
      }),
    ]),
  )
  .min(1);

/** Messages that the schema has checked. Throws ApiError (400) that names the part for an image that is no data URL. */
export function readMessages(messages: z.output<typeof messagesSchema>): readonly Message[] {
  return messages.map(({ role, content }, m): Message => {
    const parts = typeof content === "string" ? [{ type: "text", text: content } as const] : content;
    return {
      role: role === "developer" ? "system" : role,
      content: parts.map((own, p): MessageContent => {
        if (own.type === "text") return { type: "text", text: own.text };
        const path = `messages[${m}].content[${p}].image_url.url`;
        return { type: "image", image: { path, bytes: dataUrlBytes(own.image_url.url, path) } };
      }),
    };
  });
}

/** The bytes of data:image/…;base64,… . What they are is seen by their content later. */
function dataUrlBytes(url: string, param: string): Uint8Array {
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
  if (!/^data:image\/[\w.+-]+(;[\w=-]+)*;base64$/i.test(header)) {
    throw badRequest(param, `${param}: expected data:image/…;base64,…`, "invalid_image_url");
  }
  const text = url.slice(comma + 1);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 === 1) {
    throw badRequest(param, `${param} is not valid base64`, "invalid_base64");
  }
  return Buffer.from(text, "base64");
}
