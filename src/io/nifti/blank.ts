/** A NIfTI file without what may identify the patient: its texts and extensions are emptied in place. */
import { gunzipSync, gzipSync } from "node:zlib";
import { UserError } from "../../core/errors.ts";
import { isGzip, isNifti, readNiftiHeader } from "./header.ts";

/** Places and lengths of the texts, by the size of the header: data_type, db_name, descrip, aux_file, intent_name, unused. */
const texts: Readonly<Record<number, readonly (readonly [at: number, length: number])[]>> = {
  348: [
    [4, 10],
    [14, 18],
    [148, 80],
    [228, 24],
    [328, 16],
  ],
  540: [
    [240, 80],
    [320, 24],
    [508, 16],
    [525, 15],
  ],
};

/** The same volume; other formats as they are. Throws UserError for a damaged one. */
export function blankedNifti(bytes: Uint8Array): Uint8Array {
  if (!isNifti(bytes)) return bytes;
  const name = "among the rows";
  const { offset, end, littleEndian } = readNiftiHeader(name, bytes);
  const out = Uint8Array.from(isGzip(bytes) ? inflated(bytes, end) : bytes);
  const size = new DataView(out.buffer).getInt32(0, littleEndian);
  for (const [at, length] of texts[size]!) out.fill(0, at, at + length);
  out.fill(0, size, offset); // extensions: any text, DICOM elements among them
  out.fill(0, Math.min(end, out.length));
  return isGzip(bytes) ? gzipSync(out) : out;
}

function inflated(bytes: Uint8Array, end: number): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: end + 1 });
  } catch {
    throw new UserError("image among the rows is a damaged NIfTI file: replace it");
  }
}
