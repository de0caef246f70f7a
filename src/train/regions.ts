/** Boxes, outlines, masks and circles among the facts of an example, wherever they stand: what people see drawn on its images. */
import type { Facts, FactValue } from "../core/records.ts";

/** A part of an image, in its pixels. */
export interface Region {
  /** Place of the image, from 0. */
  readonly image: number;
  /** The texts that stand beside it, as "nodule left". */
  readonly label: string;
  readonly box?: readonly [left: number, top: number, right: number, bottom: number];
  /** Corners of an outline, in order. */
  readonly polygon?: readonly (readonly [x: number, y: number])[];
  readonly mask?: PixelMask;
}

/**
 * Pixels by runs, as COCO writes them: down the columns, as many that are not part of it, then as many that are, and so on;
 * as numbers, or as the text that pycocotools makes of them.
 */
export interface PixelMask {
  readonly size: readonly [height: number, width: number];
  readonly counts: readonly number[] | string;
}

/**
 * A fact with `box`, `polygon` or `mask` (pixels), or `x`, `y` and `radius` (fractions of the image), is a region; `image` counts
 * from 1, 1 where it is not said. Others are passed over; of two in one place the one with fewer words stays.
 */
export function regionsOf(
  facts: Facts = {},
  sizes: readonly { readonly width: number; readonly height: number }[] = [],
): readonly Region[] {
  const found = new Map<string, Region>();
  const add = (region: Region) => {
    const key = JSON.stringify([region.image, region.box, region.polygon, region.mask]);
    const other = found.get(key);
    if (other === undefined || region.label.length < other.label.length) found.set(key, region);
  };
  const walk = (value: FactValue, name: string): void => {
    if (typeof value !== "object") return;
    const { box, polygon, mask, x, y, radius, image = 1 } = value as Readonly<Record<string, FactValue>>;
    const texts = Object.values(value).filter((one) => typeof one === "string");
    const common = { image: Number(image) - 1, label: texts.join(" ") || name };
    const size = sizes[common.image];
    if (isNumbers(box, 4)) add({ ...common, box: box as unknown as NonNullable<Region["box"]> });
    if (Array.isArray(polygon) && polygon.length > 2 && polygon.every((corner) => isNumbers(corner, 2))) {
      add({ ...common, polygon: polygon as unknown as NonNullable<Region["polygon"]> });
    }
    if (isMask(mask)) add({ ...common, mask });
    const circle = [x, y, radius];
    if (size !== undefined && isNumbers(circle, 3)) {
      const [u, v, r] = circle as unknown as readonly [number, number, number];
      const [w, h] = [size.width, size.height];
      const sides = [(u - r) * w, (v - r) * h, (u + r) * w, (v + r) * h].map(Math.round);
      add({ ...common, box: sides as unknown as NonNullable<Region["box"]> });
    }
    for (const [key, inner] of Object.entries(value)) walk(inner, Array.isArray(value) ? name : key);
  };
  walk(facts, "");
  return [...found.values()];
}

function isMask(value: unknown): value is PixelMask {
  if (typeof value !== "object" || value === null) return false;
  const { size, counts } = value as Partial<Record<keyof PixelMask, unknown>>;
  return (
    isNumbers(size, 2) && (typeof counts === "string" || (Array.isArray(counts) && isNumbers(counts, counts.length)))
  );
}

function isNumbers(value: unknown, count: number): value is readonly number[] {
  return Array.isArray(value) && value.length === count && value.every((one) => Number.isFinite(one));
}
