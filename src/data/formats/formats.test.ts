import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { decodeImage } from "../../io/images.ts";
import { readJsonLines } from "../../io/json-lines.ts";
import { files } from "../files.ts";
import { importRows } from "../import.ts";

const golden = (name: string) => fileURLToPath(new URL(`../../../test/golden/formats/${name}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "viva-formats-"));
afterAll(() => rmSync(folder, { recursive: true }));
process.env["VIVA_CACHE"] = join(folder, "cache");

/** What every set of the goldens asks. */
const asked = [
  ["Is the film bright?", "yes", 230],
  ["Is it dark?", "no", 200],
  ["Is the film bright?", "no", 40],
  ["Is it dark?", "yes", 20],
] as const;

const german = { question: "Frage", answer: "Antwort", image: "Bild" };
const kinds: readonly (readonly [file: string, container: string, layout: RegExp, own: object])[] = [
  ["own_columns.parquet", "parquet", /in columns$/, { columns: { ...german, subject: "pid" } }],
  ["own_columns.csv", "CSV", /in columns$/, { columns: german }],
  ["llava.json", "JSON", /^LLaVA/, {}],
  ["llava.jsonl", "JSON lines", /^LLaVA/, {}],
  ["openai.jsonl", "JSON lines", /^messages/, {}],
  ["swift.jsonl", "JSON lines", /^messages/, {}],
  ["trl.jsonl", "JSON lines", /^prompt and completion/, {}],
];

describe("files", () => {
  it.each(kinds)("reads %s as the questions that its tool wrote", async (file, _, __, own) => {
    const examples = await files.load({ path: golden(file), split: "all", own: { ...own } });
    expect(examples.map(({ question, answer }) => [question, answer])).toEqual(asked.map(([q, a]) => [q, a]));
    for (const [i, { images, answerType, meta }] of examples.entries()) {
      expect({ answerType, split: meta["split"], images: images.length }).toEqual({
        answerType: file === "own_columns.csv" ? "choice" : "closed", // its columns A and B are options
        split: "all",
        images: 1,
      });
      expect((await decodeImage(images[0]!)).image.data[0]).toBe(asked[i]![2]);
    }
    expect(new Set(examples.map(({ id }) => id)).size).toBe(4);
  });

  it("reads a folder of datasets.save_to_disk with its splits and the names of its classes", async () => {
    const own = { columns: { subject: "pid" } };
    const train = await files.load({ path: golden("saved"), split: "train", own });
    const test = await files.load({ path: golden("saved"), split: "test", own });
    expect(train.map(({ answer, subjectId }) => [answer, subjectId])).toEqual([
      ["yes", "p0"],
      ["no", "p1"],
    ]);
    expect(test.map(({ answer, subjectId }) => [answer, subjectId])).toEqual([
      ["no", "p2"],
      ["yes", "p3"],
    ]);
    expect((await decodeImage(test[1]!.images[0]!)).image.data[0]).toBe(20);
    await expect(files.load({ path: golden("saved"), split: "validation", own })).rejects.toThrow(
      /no split "validation" in .*saved; the splits there are train, test$/,
    );
  });

  it("makes options of several columns", async () => {
    const own = { columns: { ...german, choices: ["A", "B"] } };
    const examples = await files.load({ path: golden("own_columns.csv"), split: "all", own });
    expect(examples.map(({ choices, answerIndex }) => [choices, answerIndex])).toEqual(
      [0, 1, 1, 0].map((index) => [["yes", "no"], index]),
    );
  });

  const turn = (from: string, value: string) => ({ from, value });
  const many = [turn("human", "<image>\nA?"), turn("gpt", "1"), turn("human", "B?"), turn("gpt", "2")];
  const written = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  it("takes a chat of several questions as it is told", async () => {
    const path = written("many.json", JSON.stringify([{ id: "x", image: "i.png", conversations: many }]));
    const load = (turns: string) => files.load({ path, split: "all", own: { turns } });
    expect((await load("first")).map(({ id, question }) => [id, question])).toEqual([["x", "A?"]]);
    expect((await load("each")).map(({ id, question, answer }) => [id, question, answer])).toEqual([
      ["x/1", "A?", "1"],
      ["x/2", "B?", "2"],
    ]);
    await expect(load("one")).rejects.toThrow(
      /many\.json, row 1 \(JSON, LLaVA conversations\): has 2 questions in one chat/,
    );
  });

  it.each([
    [
      "a table without a question",
      "t.csv",
      "Frage,label,img\na,b,c\n",
      /t\.csv \(CSV\) has no column called question or answer: its columns are Frage, label, img; say which is which, as columns: \{ question: …, answer: label, image: img \} in a recipe, or for viva data import --columns question=…,answer=label,image=img$/,
    ],
    [
      "a tag within a text",
      "w.json",
      JSON.stringify([{ image: "i.png", conversations: [turn("human", "Is <image> this?"), turn("gpt", "1")] }]),
      /w\.json, row 1 \(JSON, LLaVA conversations\): an image stands within the question's text/,
    ],
    [
      "more tags than images",
      "m.json",
      JSON.stringify([{ image: "i.png", conversations: [turn("human", "<image><image>A?"), turn("gpt", "1")] }]),
      /has 2 places for images in its text, and 1 images beside it$/,
    ],
    [
      "an unknown speaker",
      "s.jsonl",
      JSON.stringify({ image: "i.png", messages: [{ role: "tool", content: "A?" }] }),
      /s\.jsonl:1 \(JSON lines, messages, as .*\): has a turn of "tool"/,
    ],
    [
      "no answer",
      "n.jsonl",
      JSON.stringify({ image: "i.png", messages: [{ role: "user", content: "A?" }] }),
      /must be a question of the user and an answer of the assistant/,
    ],
    [
      "no image",
      "q.jsonl",
      JSON.stringify({ question: "A?", answer: "1" }),
      /q\.jsonl:1 \(JSON lines, a question and an answer in columns\): needs "image" or "images"$/,
    ],
    [
      "an image that is a number",
      "i.jsonl",
      JSON.stringify({ question: "A?", answer: "1", image: 3 }),
      /an image is neither a path nor the bytes of a file$/,
    ],
    [
      "a file of no format",
      "x.bin",
      "\x00\x01",
      /x\.bin is in no known format: parquet, Arrow, JSON lines, JSON, CSV are read$/,
    ],
    ["a damaged Arrow file", "d.arrow", "ARROW1\0\0nothing", /d\.arrow is not an Arrow file that can be read: /],
  ])("refuses %s in one sentence that names the format", async (_, name, text, message) => {
    await expect(files.load({ path: written(name, text), split: "all", own: {} })).rejects.toThrow(message);
  });

  it("names the nearest column and field", async () => {
    const load = (columns: object) => files.load({ path: golden("own_columns.csv"), own: { columns } });
    await expect(load({ question: "Fragen" })).rejects.toThrow(
      /\(CSV\) has no column "Fragen" \(did you mean "Frage"\?\)/,
    );
    await expect(load({ qestion: "Frage" })).rejects.toThrow(
      /columns: "qestion" is no field \(did you mean "question"\?\)/,
    );
  });
});

describe("importRows", () => {
  const o = { columns: {}, images: null, turns: "one", split: "train" } as const;

  it("counts image paths from a folder that is named from the current one", async () => {
    const path = join(folder, "elsewhere.jsonl");
    writeFileSync(path, `${JSON.stringify({ image: "films/0.png", question: "A?", answer: "yes" })}\n`);
    const { splits } = await importRows(path, { ...o, images: relative(process.cwd(), golden(".")), folder: null });
    expect(splits).toMatchObject([{ images: 1, leftOut: [] }]);
  });

  it("writes images of bytes once, paths relative to the folder, and tells what it took the file for", async () => {
    const out = join(folder, "out");
    const imported = await importRows(golden("openai.jsonl"), { ...o, folder: out });
    expect(imported).toMatchObject({
      container: "JSON lines",
      columns: ["messages"],
      splits: [{ split: "train", images: 4, leftOut: [] }],
    });
    const { rows } = imported.splits[0]!;
    expect(rows[0]).toMatchObject({
      question: "Is the film bright?",
      answer: "yes",
      image: expect.stringMatching(/^images\/[0-9a-f]{32}\.png$/),
    });
    expect((await decodeImage({ path: join(out, rows[3]!["image"] as string) })).image.data[0]).toBe(20);
    const beside = await importRows(golden("llava.json"), { ...o, folder: golden("..") });
    expect(beside.splits[0]!.rows[0]).toEqual({
      id: "film-0",
      image: "formats/films/0.png",
      question: "Is the film bright?",
      answer: "yes",
    });
  });

  it("leaves out what is no question, by the reason, with the places", async () => {
    const rows = [
      { image: golden("films/0.png"), question: "A?", answer: "yes" },
      { image: golden("films/0.png"), question: "A?", answer: " " },
      { image: golden("films/none.png"), question: "A?", answer: "yes" },
      { image: golden("films/1.png"), question: "B?", answer: "" },
      { image: golden("films/1.png"), question: "B?", answer: "no", split: "test" },
    ];
    const path = join(folder, "some.jsonl");
    writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const { splits } = await importRows(path, { ...o, folder: null });
    expect(splits.map(({ split, rows }) => [split, rows.length])).toEqual([
      ["train", 1],
      ["test", 1],
    ]);
    expect(splits[0]!.leftOut.map(({ reason, count }) => [count, reason])).toEqual([
      [1, "the answer is empty"],
      [1, "its image file is not there: images names the folder that image paths count from"],
      [1, expect.stringMatching(/^field "answer": /)],
    ]);
    expect(splits[0]!.leftOut[0]!.first).toEqual([expect.stringMatching(/some\.jsonl:2 \(JSON lines/)]);
    expect(splits[0]!.leftOut[1]!.first[0]).toMatch(/some\.jsonl:3 \(JSON lines.*\): .*\/films\/none\.png$/);
    expect(readJsonLines(path, "rows")).toHaveLength(5);
    expect(readFileSync(path, "utf8")).toContain("none.png"); // what is read stays as it was
  });
});
