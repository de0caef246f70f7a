/** A DICOM file without what identifies the patient: every element that viva does not read is emptied in place. */
import type { DataSet } from "dicom-parser";
import { UserError } from "../../core/errors.ts";
import { DicomFault } from "./fault.ts";
import { isRead } from "./header.ts";
import { DEFLATED, EXPLICIT_LITTLE, isDicom, parseDicom } from "./parse.ts";

/** The same file, of the same length unless it was deflated, with zeros in place of all other values; other formats as they are. */
export function blankedDicom(bytes: Uint8Array): Uint8Array {
  if (!isDicom(bytes)) return bytes;
  try {
    const { dataSet, syntax } = parseDicom(bytes);
    const out = Uint8Array.from(dataSet.byteArray);
    blank(dataSet, out);
    const uid = dataSet.elements["x00020010"];
    // Inflated by the parser, it is now a file of plain explicit elements.
    if (syntax === DEFLATED && uid !== undefined) {
      out.fill(0, uid.dataOffset, uid.dataOffset + uid.length);
      out.set(Buffer.from(EXPLICIT_LITTLE), uid.dataOffset);
    }
    if (Buffer.from(out.subarray(128, 132)).toString("latin1") === "DICM") out.fill(0, 0, 128);
    return out;
  } catch (error) {
    if (error instanceof DicomFault) throw new UserError(`a DICOM image among the rows ${error.message}`);
    throw error;
  }
}

/** What the parser needs: the length and the version of the head, the class of the object, the transfer syntax, items' ends. */
const FRAMING = /^x(?:0002(?:0000|0001|0002|0010)|fffe)/;

function blank(dataSet: DataSet, out: Uint8Array): void {
  for (const element of Object.values(dataSet.elements)) {
    const { tag, dataOffset, length, items } = element;
    if (items !== undefined) for (const item of items) if (item.dataSet !== undefined) blank(item.dataSet, out);
    const isKept = isRead(tag) || FRAMING.test(tag);
    if (items === undefined && !isKept) out.fill(0, dataOffset, dataOffset + length);
  }
}
