/** An image file without what identifies the patient, for copies that viva makes. */
import { blankedDicom } from "./dicom/blank.ts";
import { blankedNifti } from "./nifti/blank.ts";

/** The same pixels; formats that name no patient as they are. Throws UserError for a damaged file. */
export function blankedImage(bytes: Uint8Array): Uint8Array {
  return blankedNifti(blankedDicom(bytes));
}
