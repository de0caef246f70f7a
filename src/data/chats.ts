/**
 * Chats as the rows of data files hold them: lists of {role, content}, content a text or a list of parts. Images are named in
 * their parts, or, as TRL has it, in a list `images` beside the chat, for parts {"type": "image"} that name none. A null is
 * the absence of its key, as tables write it whose rows share their columns.
 */
import * as z from "zod";
import { UserError } from "../core/errors.ts";
import type { Message, MessageContent } from "../core/records.ts";

const EMPTY_PATH = "the path of an image is empty";

/** The path of an image, and of a row's images. */
export const pathSchema = z.string().regex(/\S/, EMPTY_PATH);
export const pathsSchema = z.array(pathSchema, { error: "expected a list of image paths" });

/** A key that a part or a message does not have, beside those that it has. */
const keysOf = (what: string) => (issue: { readonly code?: string; readonly keys?: readonly string[] }) => {
  if (issue.code !== "unrecognized_keys") return undefined;
  return `the key ${JSON.stringify(issue.keys?.[0])} is not read: ${what}`;
};
const ofText = { error: keysOf('a part of text is {"type": "text", "text": …}') };
const ofImage = { error: keysOf('a part for an image is {"type": "image", "image": path}, or {"type": "image"}') };

const part = z.preprocess(
  withoutNulls,
  z.discriminatedUnion("type", [
    z.strictObject({ type: z.literal("text"), text: z.string() }, ofText),
    z.strictObject({ type: z.literal("image"), image: z.string().min(1, EMPTY_PATH).optional() }, ofImage),
  ]),
);

const message = z.preprocess(
  withoutNulls,
  z.strictObject(
    {
      role: z.enum(["system", "user", "assistant"]),
      content: z.union([z.string(), z.array(part)], {
        error: "expected a text, or a list of parts {type: text, text} and {type: image}",
      }),
    },
    { error: keysOf('a message is {"role", "content"}; `viva data import` reads chats of other tools') },
  ),
);

/** A chat as written. */
export const chatSchema = z.array(message).min(1);
export type Chat = z.output<typeof chatSchema>;

/** A mapping without the keys whose value is null, which tables of fixed columns write for what is absent. */
export function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== null));
}

/**
 * The messages of a chat with the images that stand beside it put in the parts that name none, in order; before the first
 * user message's text where there is no such part, as TRL does. Throws UserError where parts and images do not match.
 */
export function chatMessages(chat: Chat, images: readonly string[]): readonly Message[] {
  const parts = chat.map(({ content }) =>
    typeof content === "string" ? [{ type: "text", text: content } as const] : content,
  );
  const all = parts.flat().filter((own) => own.type === "image");
  const open = all.filter(({ image }) => image === undefined).length;
  const inFront = open === 0 && images.length > 0 ? chat.findIndex(({ role }) => role === "user") : -1;
  if (open !== images.length && (inFront < 0 || all.length > 0)) {
    throw new UserError(
      `the chat has ${open} ${open === 1 ? "part" : "parts"} {"type": "image"} without a path, and ${images.length} ${images.length === 1 ? "image is" : "images are"} given beside it: name as many paths in "images" as there are such parts`,
    );
  }
  const waiting = images.values();
  const take = () => ({ type: "image", image: { path: waiting.next().value! } }) as const;
  return chat.map(({ role }, m): Message => {
    const front = m === inFront ? images.map(take) : [];
    const content = parts[m]!.map((own): MessageContent => {
      if (own.type === "text") return own;
      return own.image === undefined ? take() : { type: "image", image: { path: own.image } };
    });
    return { role, content: [...front, ...content] };
  });
}

/** The text of a message without images; throws UserError for one with an image. */
export function messageText({ role, content }: Message): string {
  const texts = content.map((own) => {
    if (own.type === "text") return own.text;
    throw new UserError(`an image in the ${role} message has no place here`);
  });
  return texts.join("");
}

/** The text of a reply that is written as a chat of one message; `name` is its field. Throws UserError for any other chat. */
export function replyText(chat: Chat, name: string): string {
  const [reply, ...more] = chatMessages(chat, []);
  if (reply?.role === "assistant" && more.length === 0) return messageText(reply);
  throw new UserError(`${name}: expected a text, or a list of one message of the assistant`);
}
