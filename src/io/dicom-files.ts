/** What data sets ask of a DICOM file besides its pixels: whose it is, its modality, and whether its greys are left open. */
import { resolve } from "node:path";
import { imageFile } from "../core/image-names.ts";
import type { ImageRef } from "../core/records.ts";
import { unshownRange } from "./dicom/decode.ts";
import { readHeader } from "./dicom/header.ts";
import { isDicom, parseDicom } from "./dicom/parse.ts";
import { dicomSubject, subjectKey } from "./dicom/subject.ts";
import { readHead, readImageFile } from "./image-files.ts";

/** What is known of the patient and the image; null where the file does not tell. */
export interface DicomAbout {
  /** The keyed hash of the patient's id. */
  readonly subject: string | null;
  readonly modality: string | null;
}

/** Null for a file that is no DICOM file, or cannot be read. Throws UserError for a key that cannot be used. */
export async function dicomAbout(name: string): Promise<DicomAbout | null> {
  const { file } = imageFile(resolve(name));
  const head = await readHead(file);
  if (!isDicom(head)) return null;
  const about = aboutOf(head);
  return about ?? aboutOf(await readImageFile(file)) ?? { subject: null, modality: null };
}

/** The range of values of a grey DICOM image that neither its file nor the reference gives a window, and what its bits hold. */
export async function dicomRange(image: ImageRef): Promise<readonly [low: number, high: number, of: number] | null> {
  const { path, bytes, pixels, window } = image;
  if (pixels !== undefined || window !== undefined) return null;
  const head = bytes ?? (await readHead(imageFile(path).file));
  if (!isDicom(head)) return null;
  return unshownRange(path, bytes ?? (await readImageFile(path))).catch(() => null); // its decoder says what is wrong
}

/** Null where the bytes end before the pixels or are damaged. */
function aboutOf(bytes: Uint8Array): DicomAbout | null {
  let modality: string | null;
  try {
    modality = readHeader(parseDicom(bytes, true)).modality;
  } catch {
    return null;
  }
  return { subject: dicomSubject(bytes, subjectKey), modality };
}
