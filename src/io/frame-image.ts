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
