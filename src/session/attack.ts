/** Images changed against an opened model, as a file would hold them: for the probe of accuracy against ε. */
import { encodeQuestion } from "../answers/prompts.ts";
import { pixelsOf } from "../core/pixels.ts";
import type { RawImage } from "../core/records.ts";
import { adversarialBatch } from "../engine/pgd.ts";
import type { Attack } from "../evaluate/index.ts";
import { supervisedBatch } from "../train/sft.ts";
import type { OpenedCheckpoint } from "./checkpoint.ts";

/**
 * The example with every image moved, within ε, to where its reference answer is least likely, and rounded to 8 bits; null
 * where the model is computed elsewhere or cuts images into frames.
 */
export function attackOn({ engine, processor, prompt }: OpenedCheckpoint): Attack | null {
  const { pixelLayout } = processor;
  if (engine.gradients === undefined || pixelLayout === undefined) return null;
  return async (example, o) => {
    const encoded = await encodeQuestion(processor, example, prompt);
    const { batch } = await supervisedBatch([{ example, prompt: encoded }], "answer", {
      processor,
      style: prompt.style,
    });
    const { images } = (await adversarialBatch(engine, processor, batch, o)).groups[0]!.prompt;
    const changed = images.map(({ patches, grid }, i) => {
      const layout = pixelLayout(grid);
      const data = Uint8Array.from(pixelsOf(patches, layout), (value) =>
        Math.max(0, Math.min(255, Math.round(255 * value))),
      );
      const pixels: RawImage = { width: layout.width, height: layout.height, channels: 3, data };
      return { path: `${example.images[i]!.path} (against the model, ${o.epsilon})`, pixels };
    });
    return { ...example, images: changed };
  };
}
