/** Rows of one's own data whose question is a chat, as TRL's vision data sets have it, as rows with question and answer. */
import * as z from "zod";
import { UserError } from "../core/errors.ts";
import type { Message } from "../core/records.ts";
import { type Chat, chatMessages, chatSchema, messageText, pathSchema, pathsSchema, replyText } from "./chats.ts";
import { requireNoOtherChat } from "./field-names.ts";
import { readRow } from "./rows.ts";

type Fields = Readonly<Record<string, unknown>>;

const rowSchema = z.looseObject({
  messages: chatSchema.optional(),
  prompt: chatSchema.optional(),
  completion: chatSchema.optional(),
  images: pathsSchema.nullish(),
  image: pathSchema.nullish(),
});

/**
 * A row with `question`, `images` and `answer` in place of the chat in `messages`, or in `prompt` and `completion`; any other
 * row as it is. The one user message is the question, the assistant's the answer where the row has none. Throws UserError
 * for a chat that is no question: with further turns, or a system message, which is the recipe's to say.
 */
export function rowOfChat(row: unknown, where: string): unknown {
  requireNoOtherChat(row, where);
  const value = withReplies(row, where);
  const isChat = (name: string) => Array.isArray((value as Fields | null)?.[name]);
  const key = ["messages", "prompt"].find(isChat);
  if (key === undefined) return value;
  const given = value as Fields;
  const isText = typeof given["completion"] === "string";
  const chatRow = readRow(rowSchema, isText ? { ...given, completion: undefined } : given, where);
  const fail = (problem: string): never => {
    throw new UserError(`${where}: ${problem}`);
  };
  if (isChat("messages") && isChat("prompt")) fail("has both messages and prompt: keep one");
  if (chatRow.image != null && chatRow.images != null) fail('has both "image" and "images": keep one');
  if (given["question"] != null) fail(`has both question and ${key}`);
  try {
    const images = chatRow.images ?? (chatRow.image == null ? [] : [chatRow.image]);
    const chat = [...chatRow[key as "messages" | "prompt"]!, ...(chatRow.completion ?? [])] as Chat;
    const messages = chatMessages(chat, images);
    const [question, reply] = turns(messages, key);
    const said = reply === null ? (isText ? given["completion"] : undefined) : messageText(reply);
    const { messages: _, prompt: __, completion: ___, image: ____, answer = null, ...rest } = given;
    if (answer !== null && reply !== null && String(answer) !== said)
      fail("has both an answer and an assistant's message");
    return { ...rest, ...imagesAndText(question), answer: answer ?? said };
  } catch (error) {
    if (!(error instanceof UserError) || error.message.startsWith(where)) throw error;
    throw new UserError(`${where}: ${error.message}`, { cause: error });
  }
}

/** A pair's completions as texts, which TRL writes as chats of one message. */
function withReplies(value: unknown, where: string): unknown {
  const given = (value ?? {}) as Fields;
  const chats = ["chosen", "rejected"].filter((name) => Array.isArray(given[name]));
  if (chats.length === 0) return value;
  const row = readRow(z.looseObject(Object.fromEntries(chats.map((name) => [name, chatSchema]))), given, where);
  try {
    return { ...given, ...Object.fromEntries(chats.map((name) => [name, replyText(row[name] as Chat, name)])) };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${where}: ${error.message}`, { cause: error });
  }
}

/** The question, and the answer where the chat holds it. */
function turns(messages: readonly Message[], key: string): readonly [Message, Message | null] {
  const [question, reply = null, ...more] = messages;
  if (messages.some(({ role }) => role === "system")) {
    throw new UserError(`${key} has a system message: leave it out, the recipe's prompt sets it`);
  }
  if (question?.role !== "user" || more.length > 0 || (reply !== null && reply.role !== "assistant")) {
    throw new UserError(
      `${key} must be one user message, and the assistant's answer or none; it has ${messages.length} (\`viva data import --turns\` takes questions out of longer chats)`,
    );
  }
  return [question, reply];
}

/** Images stand before the text when a question is asked: a text that runs on after an image cannot be kept. */
function imagesAndText({ content }: Message) {
  const kinds = content.map(({ type }) => type).join(" ");
  if (/text .*image .*text/.test(kinds)) {
    throw new UserError(
      "an image is in the middle of the question's text, and would be shown before it: put images first",
    );
  }
  return {
    images: content.flatMap((own) => (own.type === "image" ? [own.image.path] : [])),
    question: content.map((own) => (own.type === "text" ? own.text : "")).join(""),
  };
}
