/** What files of several frames or slices give. */
import type { RawImage } from "../core/records.ts";

/** A frame's pixels, which it is (from 0), and of how many. */
export interface FrameImage {
  readonly image: RawImage;
  readonly frame: number;
  readonly frames: number;
  /** Whether the window that was given decided the greys. */
  readonly usedWindow: boolean;
}

/** Most pixels of a frame. */
export interface FrameLimits {
  readonly maxPixels: number;
}

/** A grey image's values as they are stored, for whoever chooses the window while looking; slope * value + intercept is in the image's units. */
export interface StoredValues {
  readonly width: number;
  readonly height: number;
  readonly channels: 1;
  readonly bits: 16;
  /** Row by row, lower byte first. */
  readonly data: Uint8Array;
  /** Absent where the format has no units: the values are what they are. */
  readonly slope?: number;
  readonly intercept?: number;
  /** CT, MR, …, where the file says it. */
  readonly modality?: string;
  /** What the file shows from black to white, in units. */
  readonly window?: { readonly center: number; readonly width: number };
  /** Whether low values are white. */
  readonly inverse?: true;
}
