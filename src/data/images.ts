/** Finds image files that are not there before a run meets them. */
import { imageFile } from "../core/image-names.ts";
import type { Example } from "../core/records.ts";
import { exists } from "./dataset.ts";

/** An image of an example that cannot be used. */
export interface BadImage {
  readonly exampleId: string;
  readonly path: string;
  readonly reason: string;
}

/** Every missing image file, by example; images that come as pixels are there. Whether a file can be decoded shows later. */
export async function checkImages(examples: readonly Example[]): Promise<readonly BadImage[]> {
  const paths = new Set(
    examples.flatMap(({ images }) => images.flatMap((image) => ("pixels" in image ? [] : [image.path]))),
  );
  const missing = new Set<string>();
  for (const path of paths) if (!(await exists(imageFile(path).file))) missing.add(path);
  return examples.flatMap(({ id, images }) =>
    images
      .filter((image) => !("pixels" in image) && missing.has(image.path))
      .map(({ path }) => ({ exampleId: id, path, reason: "no such file" })),
  );
}

/** One sentence about the bad images, naming the first few. */
export function describeBadImages(bad: readonly BadImage[]): string {
  const first = bad.slice(0, 3).map(({ exampleId, path, reason }) => `${path} of "${exampleId}" (${reason})`);
  const more = bad.length > first.length ? ` and ${bad.length - first.length} more` : "";
  return `${bad.length} bad image${bad.length === 1 ? "" : "s"}: ${first.join(", ")}${more}`;
}
