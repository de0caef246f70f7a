import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { integer, randomKey } from "../core/random.ts";
import { loadTokenizer } from "../io/tokenizer.ts";
import { openTextStream } from "./text-stream.ts";

const golden = (name: string) => fileURLToPath(new URL(`../../test/golden/${name}/checkpoint`, import.meta.url));
const folders = [
  golden("qwen2_vl/grouped_tied"),
  golden("idefics3/idefics3_split"),
  fileURLToPath(new URL("../../assets/viva-tiny", import.meta.url)),
];

describe.each(folders)("%s", (folder) => {
  const tokenizer = loadTokenizer(join(folder));
  const decode = (ids: readonly number[]) => tokenizer.decode(ids, { skipSpecialTokens: true });
  const stream = (ids: readonly number[]) => {
    const text = openTextStream(decode);
    return [...ids.map((id) => text.push(id)), text.end()];
  };

  test("the pieces of any tokens make the text of all of them", () => {
    for (let i = 0; i < 24; i++) {
      const key = randomKey(i, "tokens");
      // Low ids are single bytes: broken characters everywhere in the first half.
      const below = i < 12 ? 256 : tokenizer.vocabSize;
      const ids = Array.from({ length: 4 * i }, (_, t) => integer(key, t, below));
      expect(stream(ids).join("")).toBe(decode(ids));
    }
  });

  test("no piece ends within a character", () => {
    const text = "Größe 日本語 🫁🩻 é 👩‍⚕️ ok\n".repeat(8);
    const ids = [...tokenizer.encode(text)];
    const pieces = stream(ids);
    expect(pieces.join("")).toBe(text);
    for (const piece of pieces) expect(piece).not.toContain("\uFFFD");
    expect(pieces.filter((piece) => piece === "").length).toBeGreaterThan(0);
    expect(pieces.length).toBe(ids.length + 1);
  });
});

test("bytes that never become a character are given at the end", () => {
  const decoder = new TextDecoder();
  const text = openTextStream((ids) => decoder.decode(Uint8Array.from(ids)));
  expect([0x41, 0xe2, 0x82].map((byte) => text.push(byte))).toEqual(["A", "", ""]);
  expect(text.end()).toBe("\uFFFD");
});

test("a token that comes late costs no more than an early one", () => {
  let longest = 0;
  const text = openTextStream((ids) => {
    longest = Math.max(longest, ids.length);
    return ids.map((id) => String.fromCharCode(97 + (id % 26))).join("");
  });
  const pieces = Array.from({ length: 500 }, (_, i) => text.push(i));
  expect(pieces.every((piece) => piece.length === 1)).toBe(true);
  expect(longest).toBeLessThan(40);
});
