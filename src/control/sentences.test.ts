import { describe, expect, it } from "vitest";
import { sentenceEnds } from "./sentences.ts";

/** One token a piece; the text up to each end. */
function ends(pieces: readonly string[], opened = false): readonly string[] {
  const decode = (ids: ArrayLike<number>) => Array.from(ids, (id) => pieces[id]).join("");
  return sentenceEnds([...pieces.keys()], decode, opened).map((at) => pieces.slice(0, at).join(""));
}

describe("sentences of a thought", () => {
  it("end before white space, not inside numbers, and at lines", () => {
    expect(ends(["<think>", "It is 0", ".", "5 mm", ".", " Left", "?", "\n", "So\n", "x"])).toEqual([
      "<think>It is 0.5 mm.",
      "<think>It is 0.5 mm. Left?",
      "<think>It is 0.5 mm. Left?\nSo\n",
    ]);
    expect(ends(["<think>", "One.\n", " Two.", "”", " Three", "。", "四"])).toEqual([
      "<think>One.\n",
      "<think>One.\n Two.”",
    ]);
  });

  it("are those inside the thought alone", () => {
    expect(ends(["Look. ", "<think>", "a. ", "b", "</think>", "c. ", "d"])).toEqual(["Look. <think>a. "]);
    expect(ends(["a", ".", " b", ".", "</think>", " c. ", "d"])).toEqual([]);
    expect(ends(["a", ".", " b", ".", "</think>", " c. ", "d"], true)).toEqual(["a."]);
    expect(ends(["<think>", "\n", "\n", "a"])).toEqual([]);
  });

  it("are whole when a character comes in parts", () => {
    const decode = (ids: ArrayLike<number>) => new TextDecoder().decode(Uint8Array.from(ids));
    const bytes = [...new TextEncoder().encode("<think>Größe unklar. Ja.")];
    const [at, ...more] = sentenceEnds(bytes, decode, false);
    expect(decode(bytes.slice(0, at))).toBe("<think>Größe unklar.");
    expect(more).toEqual([]);
  });
});
