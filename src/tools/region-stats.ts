/** region_stats: grey values inside a box, and its area where the pixel spacing is known. */
import { cropBox } from "./crop.ts";
import { defineTool, ToolError } from "./tool.ts";
import { type Box, boxArgument, imageArgument, viewImage } from "./viewed.ts";

export const regionStats = defineTool(
  {
    name: "region_stats",
    description: "Gives mean, spread, least and most of the grey values (0 to 255) in box [left, top, right, bottom].",
  },
  { ...imageArgument, ...boxArgument },
  async (example, { image, box }) => {
    const { ref, whole, scale } = await viewImage(example, image);
    const kept = cropBox(whole, box.map((side) => side * scale) as unknown as Box);
    if (kept === null) throw new ToolError("the box is empty, outside the image or far too narrow");
    const [left, top, right, bottom] = kept;
    const { width, channels, data } = whole;
    let [sum, squares, least, most] = [0, 0, 255, 0];
    for (let y = top; y < bottom; y++) {
      for (let at = (y * width + left) * channels; at < (y * width + right) * channels; at++) {
        const value = data[at]!;
        sum += value;
        squares += value * value;
        least = Math.min(least, value);
        most = Math.max(most, value);
      }
    }
    const [wide, high] = [right - left, bottom - top];
    const count = wide * high * channels;
    const mean = sum / count;
    const spread = Math.sqrt(Math.max(0, squares / count - mean * mean));
    const mm = ref.spacing === undefined ? null : ref.spacing / scale;
    const area = mm === null ? "" : `, area ${(wide * high * mm * mm).toFixed(0)} mm2`;
    return { text: `mean ${mean.toFixed(1)}, sd ${spread.toFixed(1)}, min ${least}, max ${most}${area}` };
  },
);
