/** DICOM files to 8-bit pixels, rows and columns as the file has them. */
import { UserError } from "../../core/errors.ts";
import { imageFile } from "../../core/image-names.ts";
import type { ImageSize } from "../../core/records.ts";
import type { GreyWindow } from "../../core/windows.ts";
import type { FrameImage, FrameLimits, StoredValues } from "../frame-image.ts";
import { DicomFault } from "./fault.ts";
import { frameBytes } from "./frames.ts";
import { greyTable, storedGreys, unshownUnits } from "./greys.ts";
import { type DicomHeader, greyRule, readHeader, readPalette } from "./header.ts";
import { type Parsed, parseDicom } from "./parse.ts";
import { colourPixels, greyPixels, palettePixels, storedNumbers } from "./pixels.ts";
import { channelsOf, type Stored } from "./stored.ts";
import { decoderOf } from "./syntaxes.ts";

/** The frame that `path` names, shown in `window` where it is grey; throws UserError naming the path. */
export function decodeDicom(
  path: string,
  bytes: Uint8Array,
  o: FrameLimits & { readonly window?: GreyWindow | undefined },
): Promise<FrameImage> {
  return naming(path, async () => {
    const parsed = parseDicom(bytes);
    const header = readHeader(parsed);
    checkHeader(header, o);
    const frame = frameOf(path, header);
    const stored = await storedFrame(parsed, header, frame);
    const about = { frame, frames: header.frames };
    if (header.photometric === "PALETTE COLOR") {
      const palette = readPalette(parsed);
      if (palette === null) throw new DicomFault("is a DICOM file whose palette is missing: replace it");
      return { image: palettePixels(stored, header, palette), ...about, usedWindow: false };
    }
    if (stored.channels === 3) return { image: colourPixels(stored, header), ...about, usedWindow: false };
    const table = greyTable(header, greyRule(parsed, header, frame), o.window);
    return { image: greyPixels(stored, header, table), ...about, usedWindow: o.window !== undefined };
  });
}

/** The size of a frame, from a file or its beginning up to the pixels; null where the beginning does not reach so far. */
export function dicomSize(
  path: string,
  bytes: Uint8Array,
  o: FrameLimits & { readonly isWhole: boolean },
): Promise<ImageSize | null> {
  return naming(path, async () => {
    let header: DicomHeader;
    try {
      header = readHeader(parseDicom(bytes, true));
    } catch (error) {
      if (!o.isWhole) return null;
      throw error;
    }
    checkHeader(header, o);
    decoderOf(header);
    frameOf(path, header);
    return { width: header.width, height: header.height };
  });
}

/** The least and the greatest value, in the image's units, of a grey image whose file has no window; null for any other. */
export function unshownRange(
  path: string,
  bytes: Uint8Array,
): Promise<readonly [low: number, high: number, of: number] | null> {
  return naming(path, async () => {
    const parsed = parseDicom(bytes);
    const header = readHeader(parsed);
    const frame = frameOf(path, header);
    const units = header.samplesPerPixel === 1 ? unshownUnits(header, greyRule(parsed, header, frame)) : null;
    if (units === null) return null;
    let [low, high] = [Infinity, -Infinity];
    for (const value of storedNumbers(await storedFrame(parsed, header, frame), header)) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    const ends = [units(low), units(high)];
    return [Math.min(...ends), Math.max(...ends), Math.abs(units(2 ** header.bitsStored - 1) - units(0))];
  });
}

/** The values of a grey image of more than 8 bits, with what they stand for; null for any other. */
export function dicomValues(path: string, bytes: Uint8Array, limits: FrameLimits): Promise<StoredValues | null> {
  return naming(path, async () => {
    const parsed = parseDicom(bytes);
    const header = readHeader(parsed);
    checkHeader(header, limits);
    const { width, height, samplesPerPixel, bitsStored, photometric, modality } = header;
    if (samplesPerPixel !== 1 || bitsStored <= 8 || photometric === "PALETTE COLOR") return null;
    const frame = frameOf(path, header);
    const rule = greyRule(parsed, header, frame);
    const { window } = rule;
    return {
      ...{ width, height, channels: 1, bits: 16 },
      ...storedGreys(storedNumbers(await storedFrame(parsed, header, frame), header), header, rule),
      ...(modality === null ? {} : { modality }),
      ...(window === null ? {} : { window: { center: window.center, width: window.width } }),
      ...(photometric === "MONOCHROME1" ? { inverse: true } : {}),
    };
  });
}

async function storedFrame(parsed: Parsed, header: DicomHeader, frame: number): Promise<Stored> {
  const stored = await decoderOf(header)(frameBytes(parsed, header, frame), header);
  if (
    stored.channels === channelsOf(header) &&
    stored.samples.length === header.width * header.height * stored.channels
  ) {
    return stored;
  }
  throw new DicomFault("is a DICOM file whose pixels are not of the size that it says");
}

function checkHeader({ width, height, bitsAllocated, bitsStored }: DicomHeader, { maxPixels }: FrameLimits): void {
  if (width * height > maxPixels) {
    throw new DicomFault(`has ${width} x ${height} pixels, more than ${maxPixels}`);
  }
  if (![1, 8, 16].includes(bitsAllocated) || bitsStored < 1 || bitsStored > bitsAllocated) {
    throw new DicomFault(`is a DICOM file with ${bitsAllocated} bits per sample, where up to 16 are read: convert it`);
  }
}

/** The frame that a name chooses, from 0; of several frames one must be chosen, since nothing says which would be meant. */
function frameOf(path: string, { frames }: DicomHeader): number {
  const { file, frame } = imageFile(path);
  if (frame === null && frames === 1) return 0;
  if (frame === null) throw new DicomFault(`has ${frames} frames: name one of them, as in ${file}#frame=1`);
  if (frame > frames) throw new DicomFault(`is of a file with ${frames} ${frames === 1 ? "frame" : "frames"}`);
  return frame - 1;
}

async function naming<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DicomFault) throw new UserError(`image ${path} ${error.message}`);
    throw error;
  }
}
