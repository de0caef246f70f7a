/** measure: the distance of two points, in millimetres where the image's pixel spacing is known. */
import { defineTool } from "./tool.ts";
import { imageArgument, pointOf, viewImage } from "./viewed.ts";

export const measure = defineTool(
  { name: "measure", description: "Measures the distance between the points p and q, each [x, y] in pixels." },
  { ...imageArgument, p: pointOf, q: pointOf },
  async (example, { image, p, q }) => {
    const { ref } = await viewImage(example, image);
    const pixels = Math.hypot(p[0] - q[0], p[1] - q[1]);
    const text =
      ref.spacing === undefined
        ? `${pixels.toFixed(1)} pixels (spacing not known)`
        : `${(pixels * ref.spacing).toFixed(1)} mm`;
    return { text };
  },
);
