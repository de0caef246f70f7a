/** What is wrong with a DICOM file, in words that follow its name; never what stands in the file's elements. */
export class DicomFault extends Error {
  override readonly name = "DicomFault";
}

/** Runs a library's work; whatever it throws becomes the fault, without its message, which may hold a patient's data. */
export function asFault<T>(fault: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof DicomFault ? error : new DicomFault(fault);
  }
}
