/**
 * A data set of one's own: drawn discs, left or right. In a recipe:
 *   data: { train: { name: module, path: examples/dataset.ts }, eval: { name: module, path: examples/dataset.ts, split: test } }
 */
import type { Example, LoadOptions } from "viva-rl/data";

const SIZE = 56;

/** Called with the recipe's split, limit and seed; subjects of one split must not be in another. */
export default function load({ split = "train", limit = 32 }: LoadOptions): readonly Example[] {
  return Array.from({ length: limit }, (_, i) => {
    const side = i % 2 === 0 ? "left" : "right";
    const id = `disc/${split}/${i}`;
    return {
      id,
      subjectId: id,
      question: "On which side of the image is the disc?",
      images: [{ path: id, pixels: { width: SIZE, height: SIZE, channels: 1, data: disc(side, 10 + (i % 8)) } }],
      answer: side,
      answerType: "open",
      choices: [],
      meta: { split },
    };
  });
}

function disc(side: "left" | "right", radius: number): Uint8Array {
  const centre = side === "left" ? SIZE / 4 : (3 * SIZE) / 4;
  const data = new Uint8Array(SIZE * SIZE);
  for (let y = 0; y < SIZE; y++) {
    for (let x = 0; x < SIZE; x++) data[y * SIZE + x] = Math.hypot(x - centre, y - SIZE / 2) < radius ? 220 : 30;
  }
  return data;
}
