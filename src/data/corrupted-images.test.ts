import { expect, test } from "vitest";
import { randomKey } from "../core/random.ts";
import type { Example, ImageRef } from "../core/records.ts";
import { cropBox, imageCorruptions } from "./corrupted-images.ts";

function image(path: string, width = 40, height = 30): ImageRef {
  const data = new Uint8Array(width * height * 3).map((_, i) => (31 * i + 7 * Math.floor(i / (3 * width))) % 256);
  return { path, pixels: { width, height, channels: 3, data } };
}

const example = (id: string, subjectId: string, images: readonly ImageRef[]): Example => {
  return { id, subjectId, question: "?", images, answer: "no", answerType: "closed", choices: [], meta: {} };
};

test("crops take 1 to 20 % of the area at 3:4 to 4:3, within the image", () => {
  const [width, height] = [400, 300];
  const shares: number[] = [];
  for (let i = 0; i < 2000; i++) {
    const box = cropBox({ width, height }, randomKey(i));
    shares.push((box.width * box.height) / (width * height));
    expect(box.left).toBeGreaterThanOrEqual(0);
    expect(box.top).toBeGreaterThanOrEqual(0);
    expect(box.left + box.width).toBeLessThanOrEqual(width);
    expect(box.top + box.height).toBeLessThanOrEqual(height);
    const ratio = box.width / box.height;
    expect(ratio).toBeGreaterThan(0.7);
    expect(ratio).toBeLessThan(1.4);
  }
  const mean = shares.reduce((a, b) => a + b, 0) / shares.length;
  expect(Math.min(...shares)).toBeGreaterThan(0.009);
  expect(Math.max(...shares)).toBeLessThan(0.21);
  expect(Math.abs(mean - 0.105)).toBeLessThan(0.006); // of a uniform area
  // An image so flat that no box fits has its middle taken.
  expect(cropBox({ width: 3, height: 900 }, randomKey(1))).toMatchObject({ width: 3, left: 0 });
});

test("a corruption keeps sizes and depends on its key alone", async () => {
  const own = example("a", "a", [image("a.png"), image("b.png", 20, 20)]);
  const others = [
    own,
    example("b", "a", [image("c.png"), image("d.png")]),
    example("c", "c", [image("e.png"), image("f.png")]),
  ];
  for (const [name, corrupt] of Object.entries(imageCorruptions)) {
    const once = await corrupt(own, randomKey(5), others);
    expect(await corrupt(own, randomKey(5), others)).toEqual(once);
    expect(once.length).toBe(2);
    if (name !== "swap") {
      expect(once.map(({ pixels }) => [pixels!.width, pixels!.height])).toEqual([
        [40, 30],
        [20, 20],
      ]);
      expect(once[0]!.pixels!.data).not.toEqual(own.images[0]!.pixels!.data);
    }
  }
  const crop = (key: number) => imageCorruptions.crop(own, randomKey(key), []);
  expect((await crop(1))[0]!.path).not.toBe((await crop(2))[0]!.path);
  // Only another subject's images, and as many of them.
  for (let key = 0; key < 20; key++)
    expect(await imageCorruptions.swap(own, randomKey(key), others)).toBe(others[2]!.images);
  await expect(imageCorruptions.swap(own, randomKey(1), others.slice(0, 2))).rejects.toThrow(
    /no other subject's example has 2/,
  );
});
