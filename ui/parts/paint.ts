/** Draws an image on a canvas: fitted, zoomed, moved and turned, with a grid of patches and outlined regions on it. */
import type { Region as KnownRegion, PixelMask } from "../../src/train/regions.ts";
import type { Pixels } from "../source.ts";
import { unpackMask } from "./mask.ts";
import { lookupTable, type Window } from "./window-level.ts";

/** How an image is looked at. Moves are in pixels of the page, zoom 1 fits. */
export interface Look {
  readonly zoom: number;
  readonly x: number;
  readonly y: number;
  /** By 90°. */
  readonly turns: number;
  readonly invert: boolean;
}

/** A part of an image, in its pixels: a box, the outline of any shape, or a mask. */
export type Region = Omit<KnownRegion, "image">;

export const FIT = { zoom: 1, x: 0, y: 0 } as const;

/** Closer by a factor, so that what is under a point stays there; the point is counted from the middle. */
export function zoomed(old: Look, factor: number, at = { x: 0, y: 0 }): Look {
  const zoom = Math.min(40, Math.max(0.2, old.zoom * factor));
  const ratio = zoom / old.zoom;
  return { ...old, zoom, x: at.x - (at.x - old.x) * ratio, y: at.y - (at.y - old.y) * ratio };
}

/** The zoom at which a pixel of the image is one of the screen. */
export function zoomOfOne(canvas: HTMLCanvasElement, { width, height }: Pixels, turns: number): number {
  const [w, h] = turns % 2 === 0 ? [width, height] : [height, width];
  return 1 / (devicePixelRatio * Math.min(canvas.clientWidth / w, canvas.clientHeight / h));
}

/** A renderer of one image: its canvas and buffer are made once. */
export function rendererOf(pixels: Pixels): (window: Window, invert: boolean) => HTMLCanvasElement {
  const { width, height, channels, bits, data } = pixels;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(width, height);
  const words = new Uint32Array(image.data.buffer);
  const grey = new Uint32Array(bits === 16 ? 65_536 : 256);
  return (window, invert) => {
    const table = lookupTable(pixels, window, invert);
    if (channels === 1) {
      for (let value = 0; value < grey.length; value++) grey[value] = 0xff000000 | (table[value]! * 0x010101);
      for (let i = 0; i < words.length; i++) words[i] = grey[data[i]!]!;
    } else {
      for (let i = 0, at = 0; i < words.length; i++, at += 3) {
        words[i] = 0xff000000 | (table[data[at + 2]!]! << 16) | (table[data[at + 1]!]! << 8) | table[data[at]!]!;
      }
    }
    context.putImageData(image, 0, 0);
    return canvas;
  };
}

interface PaintOptions {
  readonly look: Look;
  readonly smooth: boolean;
  /** Sides of a patch and of a token, drawn as grids; empty for none. */
  readonly grids: readonly number[];
  readonly regions: readonly Region[];
}

export function paint(canvas: HTMLCanvasElement, source: HTMLCanvasElement, { look, smooth, grids, regions }: PaintOptions): void {
  const scale = devicePixelRatio;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const context = canvas.getContext("2d")!;
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, w, h);
  const sides = look.turns % 2 === 0 ? [source.width, source.height] : [source.height, source.width];
  const fit = Math.min(width / sides[0]!, height / sides[1]!) * look.zoom;
  context.setTransform(scale, 0, 0, scale, (width / 2 + look.x) * scale, (height / 2 + look.y) * scale);
  context.rotate((look.turns * Math.PI) / 2);
  context.scale(fit, fit);
  context.imageSmoothingEnabled = smooth;
  context.translate(-source.width / 2, -source.height / 2);
  context.drawImage(source, 0, 0);
  const stroke = (path: Path2D, colour: string, pixels: number) => {
    context.strokeStyle = colour;
    context.lineWidth = pixels / fit;
    context.stroke(path);
  };
  for (const [i, side] of grids.entries()) {
    const path = new Path2D();
    for (let x = 0; x <= source.width; x += side) path.rect(x, 0, 0, source.height);
    for (let y = 0; y <= source.height; y += side) path.rect(0, y, source.width, 0);
    stroke(path, `rgba(255, 196, 0, ${i === grids.length - 1 ? 0.8 : 0.25})`, 1);
  }
  for (const { label, box: [left, top, right, bottom] = [0, 0, 0, 0], polygon, mask } of regions) {
    const path = new Path2D();
    const drawn = mask === undefined ? null : maskOf(mask);
    if (drawn !== null) context.drawImage(drawn.canvas, 0, 0, source.width, source.height);
    else if (polygon === undefined) path.rect(left, top, right - left, bottom - top);
    for (const [x, y] of polygon ?? []) path.lineTo(x, y);
    path.closePath();
    stroke(path, "#000", 4);
    stroke(path, "#ffc400", 2);
    const [x, y] = drawn?.first ?? polygon?.[0] ?? [left, top];
    context.font = `${13 / fit}px system-ui, sans-serif`;
    context.lineWidth = 3 / fit;
    context.strokeStyle = "#000";
    context.strokeText(label, x, y - 4 / fit);
    context.fillStyle = "#ffc400";
    context.fillText(label, x, y - 4 / fit);
  }
}

const masks = new WeakMap<PixelMask, { readonly canvas: HTMLCanvasElement; readonly first: readonly [number, number] } | null>();

/** A mask as a canvas that shows the image through, with its first pixel from the top; made once. */
function maskOf(mask: PixelMask) {
  const known = masks.get(mask);
  if (known !== undefined) return known;
  const pixels = unpackMask(mask);
  const at = pixels?.indexOf(1) ?? -1;
  if (pixels === null || at < 0) {
    masks.set(mask, null);
    return null;
  }
  const [height, width] = mask.size;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(width, height);
  const words = new Uint32Array(image.data.buffer);
  for (let i = 0; i < words.length; i++) if (pixels[i] === 1) words[i] = 0x6000c4ff; // ABGR: as the outlines, a third opaque
  context.putImageData(image, 0, 0);
  const made = { canvas, first: [at % width, Math.floor(at / width)] as const };
  masks.set(mask, made);
  return made;
}
