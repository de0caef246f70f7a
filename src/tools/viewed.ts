/**
 * The image that a tool looks at. Arguments are in pixels of the image as the data has it; tools look into its original,
 * where it has one.
 */
import * as z from "zod";
import type { Example, ImageRef, RawImage } from "../core/records.ts";
import { type DecodedImage, decodeImage } from "../io/images.ts";
import { ToolError } from "./tool.ts";

/** Which image of the question, counted from 1. */
export const imageArgument = { image: z.int({ error: "a whole number" }).min(1).default(1) };
const coordinate = z.number({ error: "a number" });
/** Left, top, right, bottom. */
export const boxArgument = {
  box: z.tuple([coordinate, coordinate, coordinate, coordinate], { error: "four numbers: left, top, right, bottom" }),
};
export const pointOf = z.tuple([coordinate, coordinate], { error: "two numbers: x, y" });

export type Box = readonly [left: number, top: number, right: number, bottom: number];

export interface Viewed {
  readonly ref: ImageRef;
  /** As the model is shown it, before its processor resizes it. */
  readonly shown: RawImage;
  /** The original, or `shown` itself. */
  readonly whole: RawImage;
  /** Pixels of `whole` to a pixel of `shown`. */
  readonly scale: number;
}

/** Throws ToolError for an image that the question does not have. */
export async function viewImage(example: Example, number: number): Promise<Viewed> {
  const ref = example.images[number - 1];
  if (ref === undefined) throw new ToolError(`the question has ${example.images.length} images, counted from 1`);
  const shown = ref.pixels ?? (await decoded(ref)).image;
  const whole = ref.original ?? shown;
  return { ref, shown, whole, scale: whole.width / shown.width };
}

/** An image that a tool made, under a name that says of what. */
export function madeImage(ref: ImageRef, what: string, pixels: RawImage): ImageRef {
  return { path: `${ref.path}#${what}`, pixels };
}

/** The last decoded files: a trajectory's calls look at the same few. */
const recent = new Map<string, Promise<DecodedImage>>();
const KEPT = 16;

function decoded(ref: ImageRef): Promise<DecodedImage> {
  const { path, range, window, bytes } = ref;
  if (bytes !== undefined) return decodeImage(ref);
  const key = JSON.stringify([path, range, window]);
  const image = recent.get(key) ?? decodeImage(ref);
  recent.delete(key);
  recent.set(key, image);
  if (recent.size > KEPT) recent.delete(recent.keys().next().value!);
  return image;
}
