/** The bytes of one frame, as they are stored. */
import parser from "dicom-parser";
import { asFault, DicomFault } from "./fault.ts";
import { type DicomHeader, pixelElement } from "./header.ts";
import { EXPLICIT_BIG, type Parsed } from "./parse.ts";

/** Of a compressed file the frame's own bytes; of an uncompressed one those of all frames. Frames count from 0. */
export interface FrameBytes {
  readonly bytes: Uint8Array;
  readonly frame: number;
}

/** Throws DicomFault where the frame is not there. */
export function frameBytes(parsed: Parsed, header: DicomHeader, frame: number): FrameBytes {
  return asFault("is a DICOM file whose pixels are damaged or cut short", () => {
    const { dataSet } = parsed;
    const { frames, syntax, bitsAllocated } = header;
    const element = pixelElement(parsed);
    const { dataOffset, length, fragments, basicOffsetTable = [] } = element;
    if (fragments === undefined) {
      const bytes = dataSet.byteArray.subarray(dataOffset, dataOffset + length);
      // Samples of one byte that are written as words of two have changed places.
      const areWords = syntax === EXPLICIT_BIG && element.vr === "OW" && bitsAllocated === 8;
      return { bytes: areWords ? Buffer.from(bytes.subarray(0, bytes.length & ~1)).swap16() : bytes, frame };
    }
    const part = (start: number, count: number) =>
      parser.readEncapsulatedPixelDataFromFragments(dataSet, element, start, count);
    if (fragments.length === 0) throw new DicomFault("is a DICOM file whose pixels are missing");
    if (frames === 1) return { bytes: part(0, fragments.length), frame };
    if (fragments.length === frames) return { bytes: part(frame, 1), frame };
    const offsets =
      basicOffsetTable.length === frames ? basicOffsetTable : parser.createJPEGBasicOffsetTable(dataSet, element);
    return { bytes: parser.readEncapsulatedImageFrame(dataSet, element, frame, offsets), frame };
  });
}
