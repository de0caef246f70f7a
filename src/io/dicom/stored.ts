/** A frame's stored samples, pixel by pixel, and how uncompressed and run-length encoded ones are read. */
import { DicomFault } from "./fault.ts";
import type { DicomHeader } from "./header.ts";

/** Samples of a frame, channels interleaved; bits beyond those stored may hold anything. */
export interface Stored {
  readonly samples: Uint8Array | Uint16Array;
  readonly channels: 1 | 3;
  /** The decoder has converted the colours to RGB already. */
  readonly isRgb: boolean;
}

/** Bits of a frame as the file's elements describe it. */
export function frameBits({ width, height, samplesPerPixel, bitsAllocated, photometric }: DicomHeader): number {
  // Two pixels of YBR_FULL_422 share their colour: Y Y Cb Cr.
  const perPixel = photometric === "YBR_FULL_422" ? 2 : samplesPerPixel;
  return width * height * perPixel * bitsAllocated;
}

/** An uncompressed frame, counted from 0, of the bytes of all frames. */
export function nativeFrame(bytes: Uint8Array, header: DicomHeader, frame: number, isBigEndian: boolean): Stored {
  const { width, height, bitsAllocated, planar, photometric } = header;
  const channels = channelsOf(header);
  const bits = frameBits(header);
  if (bytes.length * 8 < (frame + 1) * bits) throw new DicomFault("is a DICOM file whose pixels are cut short");
  if (bitsAllocated === 1) return { samples: unpackBits(bytes, frame * bits, bits), channels, isRgb: false };
  const own = bytes.subarray((frame * bits) / 8, ((frame + 1) * bits) / 8);
  const samples = bitsAllocated === 8 ? own : words(own, isBigEndian);
  if (photometric === "YBR_FULL_422") return { samples: unshared(samples, width * height), channels, isRgb: false };
  return { samples: planar ? interleaved(samples, channels) : samples, channels, isRgb: false };
}

/** A run-length encoded frame: a segment for each byte of each channel, the highest byte first (PS3.5 annex G). */
export function runLengthFrame(bytes: Uint8Array, header: DicomHeader): Stored {
  const { width, height, bitsAllocated } = header;
  const channels = channelsOf(header);
  const depth = bitsAllocated / 8;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 64 || view.getUint32(0, true) !== channels * depth) {
    throw new DicomFault("is a DICOM file whose run-length encoding is damaged");
  }
  const size = width * height;
  const samples = depth === 1 ? new Uint8Array(size * channels) : new Uint16Array(size * channels);
  for (let segment = 0; segment < channels * depth; segment++) {
    const from = view.getUint32(4 + 4 * segment, true);
    const to = segment + 1 < channels * depth ? view.getUint32(8 + 4 * segment, true) : bytes.length;
    const plane = unpackRuns(bytes.subarray(from, to), size);
    const channel = Math.floor(segment / depth);
    const scale = 256 ** (depth - 1 - (segment % depth));
    for (let i = 0; i < size; i++) samples[i * channels + channel]! += scale * plane[i]!;
  }
  return { samples, channels, isRgb: false };
}

/** One channel or three; anything else throws DicomFault. */
export function channelsOf({ samplesPerPixel }: DicomHeader): 1 | 3 {
  if (samplesPerPixel === 1 || samplesPerPixel === 3) return samplesPerPixel;
  throw new DicomFault(`is a DICOM file with ${samplesPerPixel} samples per pixel, where 1 or 3 are read`);
}

/** Two-byte samples of a byte order. */
export function words(bytes: Uint8Array, isBigEndian: boolean): Uint16Array {
  const samples = new Uint16Array(bytes.length >> 1);
  const [high, low] = isBigEndian ? [0, 1] : [1, 0];
  for (let i = 0; i < samples.length; i++) samples[i] = bytes[2 * i + high]! * 256 + bytes[2 * i + low]!;
  return samples;
}

/** Channels that stand one after the other, pixel by pixel. */
export function interleaved<T extends Uint8Array | Uint16Array>(planes: T, channels: number): T {
  const out = new (planes.constructor as Uint8ArrayConstructor)(planes.length) as T;
  const size = planes.length / channels;
  for (let c = 0; c < channels; c++) for (let i = 0; i < size; i++) out[i * channels + c] = planes[c * size + i]!;
  return out;
}

function unpackBits(bytes: Uint8Array, start: number, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => (bytes[(start + i) >> 3]! >> ((start + i) & 7)) & 1);
}

/** Y Y Cb Cr of two pixels to Y Cb Cr of each. */
function unshared(samples: Uint8Array | Uint16Array, size: number): Uint8Array {
  const out = new Uint8Array(3 * size);
  for (let i = 0; i < size; i++) {
    const pair = 4 * (i >> 1);
    out.set([samples[pair + (i & 1)]!, samples[pair + 2]!, samples[pair + 3]!], 3 * i);
  }
  return out;
}

function unpackRuns(bytes: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  let filled = 0;
  for (let at = 0; at < bytes.length && filled < size; ) {
    const control = bytes[at++]!;
    if (control === 128) continue;
    if (control < 128) {
      const literal = bytes.subarray(at, at + Math.min(control + 1, size - filled));
      out.set(literal, filled);
      filled += literal.length;
      at += control + 1;
    } else {
      const end = Math.min(size, filled + 257 - control);
      out.fill(bytes[at++] ?? 0, filled, end);
      filled = end;
    }
  }
  if (filled < size) throw new DicomFault("is a DICOM file whose run-length encoding is cut short");
  return out;
}
