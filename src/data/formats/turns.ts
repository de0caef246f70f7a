/** Chats of other tools as questions with answers: who says what in them, with which images. */
import * as z from "zod";
import { UserError } from "../../core/errors.ts";
import { problemOf } from "../../core/issues.ts";
import { withoutNulls } from "../chats.ts";
import type { Fields } from "./container.ts";

/** What becomes of a chat with several questions: it is refused, its first one is taken, or each is asked by itself. */
export type TurnChoice = "one" | "first" | "each";

/** What one side says. Images are as written: paths, bytes, or {path, bytes}. */
export interface Turn {
  readonly role: "system" | "user" | "assistant";
  /** Without the tags that stood for images. */
  readonly text: string;
  readonly images: readonly unknown[];
  /** Tags in the text and parts that stand for images written elsewhere. */
  readonly open: number;
}

const speakers: Readonly<Record<string, Turn["role"]>> = {
  human: "user",
  user: "user",
  gpt: "assistant",
  assistant: "assistant",
  system: "system",
};

const conversationSchema = z.array(z.looseObject({ from: z.string(), value: z.string() })).min(1);

/** LLaVA's list of {from: human | gpt, value}. */
export function conversationTurns(given: unknown): readonly Turn[] {
  return checked(conversationSchema, given, "conversations").map(({ from, value }) => turnOf(from, value, []));
}

const text = z.looseObject({ type: z.literal("text"), text: z.string() });
const image = z.looseObject({ type: z.literal("image") });
const imageUrl = z.looseObject({
  type: z.literal("image_url"),
  image_url: z.union([z.string(), z.looseObject({ url: z.string() })]),
});
const part = z.preprocess(withoutNulls, z.discriminatedUnion("type", [text, image, imageUrl]));
const chatSchema = z.array(z.looseObject({ role: z.string(), content: z.union([z.string(), z.array(part)]) })).min(1);

/** A list of {role, content}, content a text or parts; `key` is what the row calls it. */
export function chatTurns(given: unknown, key: string): readonly Turn[] {
  return checked(chatSchema, given, key).map(({ role, content }) => {
    if (typeof content === "string") return turnOf(role, content, []);
    const order = content.map(({ type }) => (type === "text" ? "t" : "i")).join("");
    if (/ti+t/.test(order)) throw new UserError(withinText);
    const images = content.flatMap((own): unknown[] => {
      if (own.type === "image") return [own["image"] ?? own["path"] ?? own["url"] ?? OPEN];
      if (own.type === "text") return [];
      return [typeof own.image_url === "string" ? own.image_url : own.image_url.url];
    });
    return turnOf(role, content.map((own) => (own.type === "text" ? own.text : "")).join(""), images);
  });
}

/** Stands for an image that is written beside the chat. */
const OPEN = Symbol("an image beside the chat");
const withinText = "an image stands within the question's text, and would be shown before it: put images first";

function turnOf(speaker: string, said: string, images: readonly unknown[]): Turn {
  const role = speakers[speaker];
  if (role === undefined)
    throw new UserError(`has a turn of "${speaker.slice(0, 40)}", where user and assistant are known`);
  const tags = said.match(/<image>/g)?.length ?? 0;
  const bare = said.replace(/^(?:\s*<image>)+\s*|(?:\s*<image>)+\s*$/g, "");
  if (bare.includes("<image>")) throw new UserError(withinText);
  const own = images.filter((value) => value !== OPEN);
  return { role, text: bare.trim(), images: own, open: tags + images.length - own.length };
}

/**
 * The questions of a chat as viva's rows; `row` holds its other fields, `image` or `images` among them. What the system says
 * is left out: a recipe's prompt says what stands there.
 */
export function questionsOf(turns: readonly Turn[], row: Fields, choice: TurnChoice): readonly Fields[] {
  const { image: one, images: several, ...rest } = row;
  if (one != null && several != null) throw new UserError('has both "image" and "images": keep one');
  const beside = several ?? one;
  const given = beside == null ? [] : Array.isArray(beside) ? beside : [beside];
  const spoken = turns.filter(({ role }) => role !== "system");
  const open = spoken.reduce((sum, turn) => sum + turn.open, 0);
  if (open > 0 && open !== given.length) {
    throw new UserError(`has ${open} places for images in its text, and ${given.length} images beside it`);
  }
  if (
    spoken.length === 0 ||
    spoken.some(({ role }, i) => role !== (i % 2 === 0 ? "user" : "assistant")) ||
    spoken.length % 2 === 1
  ) {
    throw new UserError("must be a question of the user and an answer of the assistant, in turn");
  }
  if (spoken.some(({ role, images }) => role === "assistant" && images.length > 0)) {
    throw new UserError("has an image in the assistant's turn");
  }
  const count = spoken.length / 2;
  if (count > 1 && choice === "one") {
    throw new UserError(
      `has ${count} questions in one chat: turns: first takes the first, turns: each asks each by itself`,
    );
  }
  const images = [...given, ...spoken.flatMap((turn) => turn.images)];
  return Array.from({ length: choice === "each" ? count : 1 }, (_, i) => ({
    ...rest,
    ...(rest["id"] != null && count > 1 && choice === "each" ? { id: `${String(rest["id"])}/${i + 1}` } : {}),
    images,
    question: spoken[2 * i]!.text,
    answer: spoken[2 * i + 1]!.text,
  }));
}

function checked<T>(schema: z.ZodType<T>, given: unknown, key: string): T {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const { path, message } = problemOf(result.error.issues[0]!);
  throw new UserError(`field "${[key, ...path].map(String).join(".")}": ${message}`);
}
