import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rowOfChat } from "./chat-rows.ts";
import { loadDataset } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-chats-"));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(async () => {
  const film = sharp({ create: { width: 8, height: 8, channels: 3, background: "#777" } });
  for (const name of ["a.png", "b.png"]) await film.clone().png().toFile(join(folder, name));
});

const text = (words: string) => ({ type: "text", text: words });
const user = (...content: object[]) => ({ role: "user", content });
const says = (content: string) => ({ role: "assistant", content });

async function load(row: object) {
  writeFileSync(join(folder, "train.jsonl"), `${JSON.stringify(row)}\n`);
  const [example] = await loadDataset({ name: "jsonl", path: folder, split: "train" });
  const { question, answer, answerType, images, choices } = example!;
  return { question, answer, answerType, choices, images: images.map(({ path }) => path.slice(folder.length + 1)) };
}

const wanted = { question: "Is it clear?", answer: "yes", answerType: "closed", choices: [], images: ["a.png"] };

describe("a row of one's own data with a chat", () => {
  it.each<[string, object]>([
    [
      "messages with the answer",
      { images: ["a.png"], messages: [user({ type: "image" }, text("Is it clear?")), says("yes")] },
    ],
    [
      "messages and an answer",
      { images: ["a.png"], messages: [user({ type: "image" }, text("Is it clear?"))], answer: "yes" },
    ],
    [
      "a prompt and an answer",
      { images: ["a.png"], prompt: [user({ type: "image" }, text("Is it clear?"))], answer: "yes" },
    ],
    [
      "a prompt and a completion",
      { images: ["a.png"], prompt: [user({ type: "image" }, text("Is it clear?"))], completion: [says("yes")] },
    ],
    [
      "a completion as a text",
      { images: ["a.png"], prompt: [user({ type: "image" }, text("Is it clear?"))], completion: "yes" },
    ],
    ["texts alone", { image: "a.png", messages: [{ role: "user", content: "Is it clear?" }, says("yes")] }],
    ["paths in its parts", { messages: [user({ type: "image", image: "a.png" }, text("Is it clear?")), says("yes")] }],
  ])("is its question, images and answer: %s", async (_, row) => {
    expect(await load(row)).toEqual(wanted);
  });

  it("keeps what stands beside the chat", async () => {
    const messages = [user({ type: "image" }, { type: "image" }, text("Which?")), says("A")];
    const row = { images: ["a.png", "b.png"], messages, choices: ["left", "right"], organ: "lung" };
    expect(await load(row)).toEqual({
      ...{ question: "Which?", answer: "left", answerType: "choice" },
      ...{ choices: ["left", "right"], images: ["a.png", "b.png"] },
    });
    expect(rowOfChat(row, "f:1")).toMatchObject({ organ: "lung" });
    expect(rowOfChat({ question: "?", prompt: "a text" }, "f:1")).toEqual({ question: "?", prompt: "a text" });
  });

  it("may be a pair, whose completions are chats of one message", () => {
    const pair = { question: "?", chosen: [says("yes")], rejected: [{ role: "assistant", content: [text("no")] }] };
    expect(rowOfChat(pair, "f:1")).toEqual({ question: "?", chosen: "yes", rejected: "no" });
    const long = { ...pair, rejected: [user(text("?")), says("no")] };
    expect(() => rowOfChat(long, "f:1")).toThrow("f:1: rejected: expected a text, or a list of one message of the");
  });

  it.each<[string, object, RegExp]>([
    [
      "a system message",
      { messages: [{ role: "system", content: "s" }, user(text("?"))], answer: "no" },
      /train\.jsonl:1: messages has a system message: leave it out/,
    ],
    [
      "more turns",
      { messages: [user(text("?")), says("a"), user(text("?")), says("b")] },
      /must be one user message, and the assistant's answer or none; it has 4/,
    ],
    [
      "two chats",
      { image: "a.png", messages: [user(text("?")), says("a")], prompt: [user(text("!"))] },
      /has both messages and prompt: keep one/,
    ],
    ["a chat as a text", { image: "a.png", messages: "[]", answer: "no" }, /messages: expected a list of messages/],
    [
      "an image within the text",
      { images: ["a.png"], messages: [user(text("a"), { type: "image" }, text("b"))], answer: "no" },
      /an image is in the middle of the question's text/,
    ],
    [
      "two answers",
      { image: "a.png", messages: [user(text("?")), says("yes")], answer: "no" },
      /both an answer and an assistant's message/,
    ],
    ["a question too", { question: "?", messages: [user(text("?"))] }, /has both question and messages/],
    [
      "too few images",
      { images: ["a.png"], messages: [user({ type: "image" }, { type: "image" }), says("a")] },
      /2 parts .* without a path, and 1 image is given/,
    ],
    [
      "image beside images",
      { image: "b.png", images: ["a.png"], messages: [user({ type: "image" }, text("?")), says("a")] },
      /has both "image" and "images": keep one/,
    ],
    [
      "a field named nearly like one of a row",
      { images: ["a.png"], options: ["a", "b"], messages: [user({ type: "image" }, text("?")), says("a")] },
      /the field "options" is not read: did you mean "choices"/,
    ],
    [
      "content of another type",
      { messages: [{ role: "user", content: 3 }] },
      /field "messages\.0\.content": expected a text, or a list of parts/,
    ],
    [
      "no answer",
      { images: ["a.png"], messages: [user({ type: "image" }, text("?"))] },
      /field "answer": missing, expected a text or a number or true or false/,
    ],
  ])("is refused with %s", async (_, row, message) => {
    await expect(load(row)).rejects.toThrow(message);
  });
});
