/** Reading image files: whole, or the first bytes, which tell the format and mostly the size. */
import { open, readFile, stat } from "node:fs/promises";
import { UserError } from "../core/errors.ts";
import { imageFile } from "../core/image-names.ts";
import { isDicom } from "./dicom/parse.ts";
import { fileError } from "./files.ts";
import { isGzip, isNifti } from "./nifti/header.ts";

const MAX_FILE_BYTES = 1_000_000_000;

/** Enough for most headers of DICOM files, and for those of all NIfTI files. */
export const HEAD_BYTES = 65_536;

/** They tell the format. */
const START_BYTES = 540;

/** A file's first bytes, up to HEAD_BYTES of a DICOM or NIfTI file; none where it cannot be read, which its decoder tells. */
export async function readHead(file: string): Promise<Uint8Array> {
  const handle = await open(file, "r").catch(() => null);
  if (handle === null) return new Uint8Array(0);
  try {
    const buffer = Buffer.alloc(START_BYTES);
    const start = buffer.subarray(0, (await handle.read(buffer, 0, START_BYTES, 0)).bytesRead);
    if (!isDicom(start) && !isGzip(start) && !isNifti(start)) return start;
    const head = Buffer.alloc(HEAD_BYTES);
    return head.subarray(0, (await handle.read(head, 0, HEAD_BYTES, 0)).bytesRead);
  } catch {
    return new Uint8Array(0);
  } finally {
    await handle.close();
  }
}

/** The bytes of the file that an image's name stands for. Throws UserError naming it. */
export async function readImageFile(path: string): Promise<Uint8Array> {
  const { file } = imageFile(path);
  try {
    const { size } = await stat(file);
    if (size > MAX_FILE_BYTES)
      throw new UserError(`image ${path} has ${size} bytes; at most ${MAX_FILE_BYTES} are read`);
    return await readFile(file);
  } catch (error) {
    throw error instanceof UserError ? error : fileError(path, "image", error);
  }
}
