/** Images whose values are looked at through a window of the reader's: 16-bit greys, grey DICOM images, slices of NIfTI volumes. */
import sharp from "sharp";
import { imageFile } from "../core/image-names.ts";
import { dicomValues } from "./dicom/decode.ts";
import { isDicom } from "./dicom/parse.ts";
import type { FrameLimits, StoredValues } from "./frame-image.ts";
import { readHead, readImageFile } from "./image-files.ts";
import { niftiValues } from "./nifti/decode.ts";
import { isNifti } from "./nifti/header.ts";

/** The values of the image that a path names; null for one of 8 bits or in colour. Throws UserError for one that cannot be read. */
export async function storedValues(path: string, limits: FrameLimits): Promise<StoredValues | null> {
  const head = await readHead(imageFile(path).file);
  if (isDicom(head)) return dicomValues(path, await readImageFile(path), limits);
  if (isNifti(head)) return niftiValues(path, await readImageFile(path), limits);
  return plainValues(path, limits);
}

async function plainValues(path: string, { maxPixels }: FrameLimits): Promise<StoredValues | null> {
  const input = sharp(path, { limitInputPixels: false, autoOrient: true, failOn: "error", ignoreIcc: true });
  const header = await input.metadata().catch(() => null);
  if (header?.depth !== "ushort" || header.channels > 2 || header.width * header.height > maxPixels) return null;
  const { data, info } = await input
    .removeAlpha()
    .toColourspace("grey16")
    .raw({ depth: "ushort" })
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, channels: 1, bits: 16, data };
}
