/** window: the image with other grey values from black to white. Of DICOM images in their own units, such as Hounsfield units. */
import * as z from "zod";
import type { RawImage } from "../core/records.ts";
import { decodeImage } from "../io/images.ts";
import { defineTool } from "./tool.ts";
import { imageArgument, madeImage, viewImage } from "./viewed.ts";

export const window = defineTool(
  {
    name: "window",
    description: "Shows the image with the grey values from level - width/2 to level + width/2 as black to white.",
  },
  {
    ...imageArgument,
    level: z.number({ error: "a number" }).min(-1e5).max(1e5),
    width: z.number({ error: "a number" }).min(1).max(1e5),
  },
  async (example, { image, level, width }) => {
    const { ref, shown } = await viewImage(example, image);
    const isFile = ref.pixels === undefined;
    const range = [level - width / 2, level + width / 2].map((v) => Math.min(65_535, Math.max(0, Math.round(v))));
    const asked = { ...ref, window: { center: level, width } };
    const inRange = range[0]! < range[1]! ? { range: [range[0]!, range[1]!] as const } : {};
    const own = isFile ? await decodeImage({ ...asked, ...inRange }) : null;
    const isChosen = own !== null && own.sha256 !== (await decodeImage(ref)).sha256; // DICOM and 16 bits alone
    const pixels = isChosen ? own.image : windowed(shown, level, width);
    return { text: "", image: madeImage(ref, `window=${level},${width}`, pixels) };
  },
);

/** Values of 8 bits; every channel alike. */
export function windowed(image: RawImage, level: number, width: number): RawImage {
  const table = Uint8Array.from({ length: 256 }, (_, v) => {
    return Math.round(255 * Math.min(1, Math.max(0, (v - (level - width / 2)) / width)));
  });
  return { ...image, data: image.data.map((v) => table[v]!) };
}
