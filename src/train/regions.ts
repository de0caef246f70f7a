/** Boxes and outlines among the facts of an example, wherever they stand: what people see drawn on its images. */
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
}

/** A fact with `box` or `polygon` is a region; `image` counts from 1, 1 where it is not said. Others are passed over. */
export function regionsOf(facts: Facts = {}): readonly Region[] {
  const found: Region[] = [];
  const walk = (value: FactValue, name: string): void => {
    if (typeof value !== "object") return;
    const { box, polygon, image = 1 } = value as Readonly<Record<string, FactValue>>;
    const texts = Object.values(value).filter((one) => typeof one === "string");
    const common = { image: Number(image) - 1, label: texts.join(" ") || name };
    if (isNumbers(box, 4)) found.push({ ...common, box: box as unknown as NonNullable<Region["box"]> });
    if (Array.isArray(polygon) && polygon.length > 2 && polygon.every((corner) => isNumbers(corner, 2))) {
      found.push({ ...common, polygon: polygon as unknown as NonNullable<Region["polygon"]> });
    }
    for (const [key, inner] of Object.entries(value)) walk(inner, Array.isArray(value) ? name : key);
  };
  walk(facts, "");
  return found;
}

function isNumbers(value: unknown, count: number): value is readonly number[] {
  return Array.isArray(value) && value.length === count && value.every((one) => Number.isFinite(one));
}
