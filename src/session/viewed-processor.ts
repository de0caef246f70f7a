/** Images shown as a run shows them, for whoever encodes messages without a data set. */
import type { Processor } from "../core/processor.ts";
import type { ImageRef, ImageView, MessageContent } from "../core/records.ts";

/** A processor that shows every image in the view; `look` is told of each image before it is encoded. */
export function viewedProcessor(
  processor: Processor,
  view: ImageView,
  look: (image: ImageRef) => Promise<void> = async () => {},
): Processor {
  const shown = async (part: MessageContent): Promise<MessageContent> => {
    if (part.type === "text") return part;
    const image = { ...part.image, ...view };
    await look(image);
    return { ...part, image };
  };
  return {
    ...processor,
    encode: async (messages, options) => {
      const given = messages.map(async (message) => {
        return { ...message, content: await Promise.all(message.content.map(shown)) };
      });
      return processor.encode(await Promise.all(given), options);
    },
  };
}
