import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { textSimilarity } from "../answers/text-similarity.ts";
import type { Example, RawImage } from "../core/records.ts";
import { nearestNeighbour, towerNeighbour } from "./index.ts";
import { nearestIndices } from "./nearest.ts";

const golden = JSON.parse(readFileSync(new URL("../../test/golden/metrics.json", import.meta.url), "utf8")).nearest;

function example(id: string, question: string, more: Partial<Example> = {}): Example {
  const images = [{ path: id }];
  return { id, subjectId: id, question, images, answer: id, answerType: "open", choices: [], meta: {}, ...more };
}

describe("textSimilarity", () => {
  it("equals scikit-learn's TF-IDF cosines", () => {
    const similarity = textSimilarity(golden.train.map((text: string) => text.split(" ")));
    for (const [i, text] of golden.asked.entries()) {
      const found = similarity(text.split(" "));
      for (const [j, wanted] of golden.similarity[i].entries()) expect(found[j]).toBeCloseTo(wanted, 12);
    }
  });

  it("is 0 for unknown words and for empty texts", () => {
    expect([...textSimilarity([["lung"], []])(["heart"])]).toEqual([0, 0]);
    expect([...textSimilarity([])(["heart"])]).toEqual([]);
  });
});

describe("the nearest neighbour", () => {
  const train = golden.train.map((text: string, i: number) => example(`t${i}`, text));
  const asked = golden.asked.map((text: string, i: number) => example(`a${i}`, text));

  it("equals scikit-learn's by the sum of both similarities, and by words alone without images", () => {
    const vectors = new Map<string, Float32Array>([
      ...golden.train_images.map((row: number[], i: number) => [`t${i}`, Float32Array.from(row)] as const),
      ...golden.asked_images.map((row: number[], i: number) => [`a${i}`, Float32Array.from(row)] as const),
    ]);
    expect(nearestIndices(asked, train, vectors)).toEqual(golden.nearest);
    expect(nearestIndices(asked, train, new Map())).toEqual(golden.nearest_text);
    expect(golden.nearest).not.toEqual(golden.nearest_text);
  });

  it("returns the answer of the most similar image's question of the same answer type", async () => {
    const picture = (bright: "left" | "right", noise: number): RawImage => {
      const data = Uint8Array.from({ length: 400 }, (_, i) => {
        return (i % 20 < 10 === (bright === "left") ? 200 : 40) + ((i * noise) % 7);
      });
      return { width: 20, height: 20, channels: 1, data };
    };
    const shown = (id: string, bright: "left" | "right", noise: number, more: Partial<Example> = {}) =>
      example(id, "Which side is bright?", { images: [{ path: id, pixels: picture(bright, noise) }], ...more });
    const known = [
      shown("k1", "left", 1, { answer: "the left one" }),
      shown("k2", "right", 2, { answer: "the right one" }),
      shown("k3", "right", 3, { answer: "right", answerType: "choice", choices: ["left", "right"] }),
    ];
    const questions = [
      shown("q1", "right", 5),
      shown("q2", "left", 5),
      shown("q3", "left", 5, { answerType: "choice", choices: ["up", "down"] }),
    ];
    const { nearest_neighbour } = await nearestNeighbour(questions, known);
    expect(nearest_neighbour!.predictions.map(([first]) => first!.text)).toEqual([
      "the right one",
      "the left one",
      "B", // the options lack "right": the position that was right
    ]);
  });

  it("takes the tower's vectors without what all training images share", async () => {
    // As directions from 0 they are equal.
    const vectors = new Map([
      ["k1", Float32Array.of(102, 102)],
      ["k2", Float32Array.of(98, 98)],
      ["q1", Float32Array.of(99, 99)],
      ["q2", Float32Array.of(104, 104)],
    ]);
    const embed = async () => vectors;
    const known = [example("k1", "Where?"), example("k2", "Where?")];
    const { tower_neighbour } = await towerNeighbour([example("q1", "Where?"), example("q2", "Where?")], known, embed);
    expect(tower_neighbour!.predictions.map(([first]) => first!.text)).toEqual(["k2", "k1"]);
  });

  it("returns no answer without training questions", async () => {
    const { nearest_neighbour } = await nearestNeighbour([example("q", "Why?", { images: [] })], []);
    expect(nearest_neighbour!.predictions).toEqual([[{ text: "" }]]);
  });
});
