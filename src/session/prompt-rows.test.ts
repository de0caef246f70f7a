import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readPromptRows } from "./prompt-rows.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-rows-"));
afterAll(() => rmSync(folder, { recursive: true }));

function read(row: object) {
  const file = join(folder, "rows.jsonl");
  writeFileSync(file, `${JSON.stringify(row)}\n`);
  return readPromptRows(file)[0]!;
}

const text = (words: string) => ({ type: "text", text: words });
const image = (path: string) => ({ type: "image", image: { path } });
const asked = [{ role: "user", content: [image("a.png"), text("Well?")] }];

describe("a row's chat", () => {
  it.each<[string, object]>([
    [
      "with paths in its parts",
      { messages: [{ role: "user", content: [{ type: "image", image: "a.png" }, text("Well?")] }] },
    ],
    [
      "with images beside it",
      { images: ["a.png"], messages: [{ role: "user", content: [{ type: "image" }, text("Well?")] }] },
    ],
    [
      "with one image beside it",
      { image: "a.png", messages: [{ role: "user", content: [{ type: "image" }, text("Well?")] }] },
    ],
    ["with texts alone, as TRL takes them", { images: ["a.png"], messages: [{ role: "user", content: "Well?" }] }],
    ["by TRL's name", { images: ["a.png"], prompt: [{ role: "user", content: [{ type: "image" }, text("Well?")] }] }],
    [
      "as tables write it, with nulls",
      {
        images: ["a.png"],
        image: null,
        question: null,
        choices: null,
        messages: [
          {
            role: "user",
            name: null,
            content: [
              { type: "image", text: null, image: null },
              { ...text("Well?"), image: null },
            ],
          },
        ],
      },
    ],
  ])("%s", (_, row) => {
    expect(read(row).messages).toEqual(asked);
  });

  it("takes its images in order, whichever turn they are in", () => {
    const turn = (words: string) => ({ role: "user", content: [text(words), { type: "image" }] });
    const row = read({
      images: ["a.png", "b.png"],
      messages: [turn("First"), { role: "assistant", content: "Yes." }, turn("Second")],
    });
    const paths = row.messages!.flatMap(({ content }) =>
      content.flatMap((part) => (part.type === "image" ? part.image.path : [])),
    );
    expect(paths).toEqual(["a.png", "b.png"]);
  });

  it("puts images before the first user message, behind a system message", () => {
    const row = read({
      images: ["a.png"],
      messages: [{ role: "system", content: "Read." }, ...[{ role: "user", content: "Well?" }]],
    });
    expect(row.messages).toEqual([{ role: "system", content: [text("Read.")] }, ...asked]);
  });

  it("has a completion as a text, or as TRL writes it", () => {
    for (const completion of [
      "no",
      [{ role: "assistant", content: "no" }],
      [{ role: "assistant", content: [text("no")] }],
    ]) {
      expect(read({ prompt: asked.map((own) => ({ ...own, content: "Well?" })), completion }).completion).toBe("no");
    }
  });

  it.each<[string, object, RegExp]>([
    ["two chats", { messages: [{ role: "user", content: "a" }], prompt: [{ role: "user", content: "b" }] }, /has both/],
    ["a chat of LLaVA's", { conversations: [{ from: "human", value: "Well?" }] }, /conversations: .*viva data import/],
    ["one message alone", { messages: { role: "user", content: "Well?" } }, /messages: expected a list of messages/],
    ["an empty path", { images: [" "], question: "Well?" }, /images\.0: the path of an image is empty/],
    [
      "a path by another name",
      { messages: [{ role: "user", content: [{ type: "image", path: "a.png" }, text("Well?")] }] },
      /messages\.0\.content\.0: the key "path" is not read: a part for an image is .*"image": path/,
    ],
    [
      "a key of another tool",
      { messages: [{ role: "user", name: "Ann", content: "Well?" }] },
      /messages\.0: the key "name" is not read: a message is \{"role", "content"\}/,
    ],
    [
      "more parts than images",
      { images: ["a.png"], messages: [{ role: "user", content: [{ type: "image" }, { type: "image" }] }] },
      /:1: the chat has 2 parts \{"type": "image"\} without a path, and 1 image is given beside it/,
    ],
    [
      "a part and no image",
      { messages: [{ role: "user", content: [{ type: "image" }] }] },
      /1 part .* without a path, and 0 images are given beside it/,
    ],
    [
      "images that no part asks for",
      { images: ["b.png"], messages: [{ role: "user", content: [{ type: "image", image: "a.png" }] }] },
      /0 parts .* and 1 image is given beside it/,
    ],
    [
      "content of another type",
      { messages: [{ role: "user", content: 7 }] },
      /messages\.0\.content: expected a text, or a list of parts/,
    ],
    [
      "no content",
      { messages: [{ role: "user", content: null }] },
      /messages\.0\.content: expected a text, or a list of parts/,
    ],
    [
      "another part",
      { messages: [{ role: "user", content: [{ type: "video" }] }] },
      /messages\.0\.content\.0\.type: expected "text" or "image"/,
    ],
    [
      "a part's key",
      { messages: [{ role: "user", content: [{ type: "image", image: "a.png", max_pixels: 9 }] }] },
      /messages\.0\.content\.0: the key "max_pixels" is not read/,
    ],
    [
      "another role",
      { messages: [{ role: "tool", content: "x" }] },
      /messages\.0\.role: expected "system" or "user" or "assistant"/,
    ],
    [
      "a completion in turns",
      { messages: [{ role: "user", content: "?" }], completion: [{ role: "user", content: "x" }] },
      /completion: expected a text, or a list of one message of the assistant/,
    ],
    ["a number for it", { question: "?", completion: 3 }, /completion: expected a text, or a list of messages/],
    [
      "a question beside it",
      { question: "?", messages: [{ role: "user", content: "?" }] },
      /has both question and messages: keep one/,
    ],
    ["neither", { prompt: "as a text" }, /:1: needs a question: a text in "question", or a list of messages/],
    ["an image as a number", { question: "?", images: 3 }, /images: expected a list of image paths/],
  ])("is refused with %s", (_, row, message) => {
    expect(() => read(row)).toThrow(message);
  });
});
