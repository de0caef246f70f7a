/**
 * DICOM files by the parser's library, whole or up to the pixels. What it returns holds everything in the file, the patient's
 * name too: only the files of this folder may see it.
 */
import { inflateRawSync } from "node:zlib";
import parser, { type DataSet } from "dicom-parser";
import { asFault, DicomFault } from "./fault.ts";

export const IMPLICIT_LITTLE = "1.2.840.10008.1.2";
export const EXPLICIT_LITTLE = "1.2.840.10008.1.2.1";
export const DEFLATED = "1.2.840.10008.1.2.1.99";
export const EXPLICIT_BIG = "1.2.840.10008.1.2.2";

const PIXEL_DATA = "x7fe00010";
/** A deflated file may not grow beyond this. */
const MAX_INFLATED_BYTES = 1_000_000_000;

/** Whether bytes begin a DICOM file: by the letters behind the preamble, or, without one, by the first element of a data set. */
export function isDicom(bytes: Uint8Array): boolean {
  return hasPreamble(bytes) || bareSyntax(bytes) !== null;
}

/** A parsed file and its transfer syntax. */
export interface Parsed {
  readonly dataSet: DataSet;
  readonly syntax: string;
}

/** Throws DicomFault. With `untilPixels` the pixels are not looked at, and the bytes may end before them. */
export function parseDicom(given: Uint8Array, untilPixels = false): Parsed {
  const bare = hasPreamble(given) ? null : bareSyntax(given);
  // Meta elements without the preamble before them: the library wants it.
  const whole = bare === META ? Buffer.concat([Buffer.alloc(128), Buffer.from("DICM"), given]) : given;
  const bytes = new Uint8Array(whole.buffer, whole.byteOffset, whole.byteLength); // of a Buffer the library makes Buffers
  const dataSet = asFault("is a damaged DICOM file: replace it", () =>
    parser.parseDicom(bytes, {
      ...(bare === null || bare === META ? {} : { TransferSyntaxUID: bare }),
      ...(untilPixels ? { untilTag: PIXEL_DATA } : {}),
      inflater: inflate as unknown as () => void, // its type forgets what it gives
    }),
  );
  const syntax = bare === null || bare === META ? asFault("", () => dataSet.string("x00020010")) : bare;
  if (syntax === undefined) throw new DicomFault("is a DICOM file that does not say its transfer syntax");
  return { dataSet, syntax };
}

/** The head of the file as it is, then the data set inflated. */
function inflate(bytes: Uint8Array, position: number): Uint8Array {
  const inflated = inflateRawSync(bytes.subarray(position), { maxOutputLength: MAX_INFLATED_BYTES });
  return Buffer.concat([bytes.subarray(0, position), inflated]);
}

function hasPreamble(bytes: Uint8Array): boolean {
  return latin1(bytes, 128, 132) === "DICM";
}

const META = "meta";

/**
 * The syntax of a data set that stands in a file by itself: its first element is of group 0008 and of a kind that comes first,
 * or of group 0002. No other format of images begins so.
 */
function bareSyntax(bytes: Uint8Array): string | null {
  if (bytes.length < 8) return null;
  const [a, b, c, d] = bytes as unknown as readonly [number, number, number, number];
  const vr = latin1(bytes, 4, 6);
  if (a === 2 && b === 0 && c <= 1 && d === 0 && ["UL", "OB"].includes(vr)) return META;
  const [isLittle, isBig] = [a === 8 && b === 0 && d === 0, a === 0 && b === 8 && c === 0];
  if (!(isLittle && FIRST.includes(c)) && !(isBig && FIRST.includes(d))) return null;
  if (["UL", "CS", "DA", "TM", "UI"].includes(vr)) return isBig ? EXPLICIT_BIG : EXPLICIT_LITTLE;
  const isShort = bytes[4]! >= 2 && bytes.subarray(5, 8).every((byte) => byte === 0);
  return isLittle && isShort ? IMPLICIT_LITTLE : null;
}

/** Elements of group 0008 that data sets begin with: its length, character set, image type, dates, class and uid of the object. */
const FIRST = [0x00, 0x01, 0x05, 0x08, 0x12, 0x14, 0x16];

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.subarray(from, to)).toString("latin1");
}
