/** Prints of image files by which copies are found: a quick one that tells most images apart, and one of all pixels. */
import { open } from "node:fs/promises";
import sharp from "sharp";
import { imageFile } from "../core/image-names.ts";
import type { ImageRef } from "../core/records.ts";
import { isDicom } from "./dicom/parse.ts";
import { sha256 } from "./files.ts";
import { readHead } from "./image-files.ts";
import { decodeImage, imageSize } from "./images.ts";
import { isGzip, isNifti } from "./nifti/header.ts";

/** Rows of pixels that a quick print looks at, from a quarter of the height on: decoders need not go further. */
const ROWS = 8;
/** Bytes at the end of a DICOM or NIfTI file, where its pixels lie. */
const TAIL_BYTES = 16_384;

/**
 * Equal for images with the same pixels: the size, and a few rows; of DICOM and NIfTI files the last bytes. Throws UserError
 * or the decoder's error where the file is none that can be read.
 */
export async function quickPrint(ref: ImageRef): Promise<string> {
  const { file, frame } = imageFile(ref.path);
  const { width, height } = await imageSize(ref);
  const head = await readHead(file);
  const rest = isDicom(head) || isNifti(head) || isGzip(head) ? await tail(file) : await rows(file, width, height);
  return `${width} ${height} ${frame ?? ""} ${sha256(rest)}`;
}

/** The size and all pixels as they are shown. Throws UserError as `decodeImage` does. */
export async function pixelPrint(ref: ImageRef): Promise<string> {
  const { width, height, image } = await decodeImage(ref);
  return `${width} ${height} ${sha256(image.data)}`;
}

async function rows(file: string, width: number, height: number): Promise<Uint8Array> {
  const top = Math.floor(height / 4);
  return sharp(file, { failOn: "error", ignoreIcc: true, autoOrient: true, sequentialRead: true })
    .extract({ left: 0, top, width, height: Math.min(ROWS, height - top) })
    .toColourspace("srgb")
    .removeAlpha()
    .raw()
    .toBuffer();
}

async function tail(file: string): Promise<Uint8Array> {
  const handle = await open(file, "r");
  try {
    const { size } = await handle.stat();
    const bytes = Buffer.alloc(Math.min(TAIL_BYTES, size));
    await handle.read(bytes, 0, bytes.length, size - bytes.length);
    return bytes;
  } finally {
    await handle.close();
  }
}
