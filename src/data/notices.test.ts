import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, expect, it } from "vitest";
import type { Example, ImageRef } from "../core/records.ts";
import { darkImageNotice, dataNotices } from "./notices.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-notices-"));
afterAll(() => rmSync(folder, { recursive: true }));

const example = (id: string, image: ImageRef, changes: Partial<Example> = {}): Example => ({
  ...{ id, subjectId: id, question: "Is it clear?", images: [image], answer: "yes", answerType: "closed", choices: [] },
  ...{ meta: {}, ...changes },
});

/** Eight greys of 16 bits. */
async function film(name: string, low: number, high: number): Promise<ImageRef> {
  const values = Uint16Array.from({ length: 8 }, (_, i) => low + Math.round((i * (high - low)) / 7));
  const path = join(folder, name);
  await sharp(values, { raw: { width: 4, height: 2, channels: 1 } })
    .toColourspace("grey16")
    .png()
    .toFile(path);
  return { path };
}

it("tells of 16-bit images that use little of their range, unless they have a range", async () => {
  const [dark, offset, whole] = [
    await film("d.png", 0, 4095),
    await film("o.png", 32768, 36000),
    await film("w.png", 0, 65000),
  ];
  const notices = await dataNotices([example("dark", dark), example("whole", whole), example("offset", offset)]);
  expect(notices).toMatchObject([{ notice: "dark_images", count: 2, first: ["dark", "offset"] }]);
  expect((await dataNotices([example("dark", dark)]))[0]!.message).toBe(
    "1 example with 16-bit images whose values lie between 0 and 4095 of 65535: the model sees greys from 0 to 15 of 255; set image_range: [0, 4095], or the window you want",
  );
  expect(await dataNotices([example("dark", { ...dark, range: [0, 4095] })])).toEqual([]);
  expect(await darkImageNotice(dark)).toContain("lie between 0 and 4095");
  expect(await darkImageNotice(whole)).toBeNull();
});

it("tells of an image's tag in the question or an option, and of lost letters", async () => {
  const image = { path: "phantom", pixels: { width: 1, height: 1, channels: 1, data: new Uint8Array(1) } } as const;
  const notices = await dataNotices([
    example("a", image, { question: "<image>\nIs it clear?" }),
    example("b", image, { choices: ["< image 2 >", "none"] }),
    example("c", image, { question: "Is the <imaging> clear?" }),
    example("d", image, { answer: "Gr\ufffd\ufffde" }),
    example("e", image, { question: "<|vision_start|><|image_pad|><|vision_end|>Is it clear?" }),
    example("f", image, { question: "[IMG] Is it clear?" }),
    example("g", image, { question: "Is the GrÃ¶ÃŸe normal?" }),
    example("h", image, { question: "Is it\u0000 clear?", answer: "GrÃ¶\u00df" }),
    example("i", image, { choices: ["&lt;5 mm", "&#62;5 mm"] }),
    example("j", image, { question: "Is it < 5 mm & round,\n[image 2 below]? São Paulo" }),
  ]);
  expect(notices).toMatchObject([
    { notice: "image_tag", first: ["a", "b", "e", "f"] },
    { notice: "html", first: ["i"] },
    { notice: "lost_letters", first: ["d", "g", "h"] },
  ]);
});
