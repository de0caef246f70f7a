/** Transfer syntaxes and what decodes a frame of each: a further one is a line here. */
import { baselineJpeg, jpeg2000, jpegLossless, jpegLs } from "./codecs.ts";
import { DicomFault } from "./fault.ts";
import type { FrameBytes } from "./frames.ts";
import type { DicomHeader } from "./header.ts";
import { DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE } from "./parse.ts";
import { nativeFrame, runLengthFrame, type Stored } from "./stored.ts";

type Decoder = (frame: FrameBytes, header: DicomHeader) => Stored | Promise<Stored>;

const little: Decoder = ({ bytes, frame }, header) => nativeFrame(bytes, header, frame, false);
const big: Decoder = ({ bytes, frame }, header) => nativeFrame(bytes, header, frame, true);
const runLength: Decoder = ({ bytes }, header) => runLengthFrame(bytes, header);

/** By the uid of the transfer syntax (PS3.6 table A-1). */
const decoders: Readonly<Record<string, Decoder>> = {
  [IMPLICIT_LITTLE]: little,
  [EXPLICIT_LITTLE]: little,
  [DEFLATED]: little,
  [EXPLICIT_BIG]: big,
  "1.2.840.10008.1.2.5": runLength,
  "1.2.840.10008.1.2.4.50": baselineJpeg,
  "1.2.840.10008.1.2.4.51": baselineJpeg, // of 8 bits it is baseline JPEG; of 12 it is refused
  "1.2.840.10008.1.2.4.57": jpegLossless,
  "1.2.840.10008.1.2.4.70": jpegLossless,
  "1.2.840.10008.1.2.4.80": jpegLs,
  "1.2.840.10008.1.2.4.81": jpegLs,
  "1.2.840.10008.1.2.4.90": jpeg2000,
  "1.2.840.10008.1.2.4.91": jpeg2000,
  "1.2.840.10008.1.2.4.201": jpeg2000, // high-throughput: OpenJPEG decodes both
  "1.2.840.10008.1.2.4.202": jpeg2000,
  "1.2.840.10008.1.2.4.203": jpeg2000,
};

/** What is refused by name, since a number would tell nobody anything. */
const refused: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/^1\.2\.840\.10008\.1\.2\.4\.10\d/, "a video"],
  [/^1\.2\.840\.10008\.1\.2\.4\.20[45]/, "streamed as high-throughput JPEG 2000"],
  [/^1\.2\.840\.10008\.1\.2\.4\.11\d/, "compressed as JPEG XL"],
];

/** Throws DicomFault for a syntax that is not read. */
export function decoderOf({ syntax }: DicomHeader): Decoder {
  const decoder = decoders[syntax];
  if (decoder !== undefined) return decoder;
  const what = refused.find(([pattern]) => pattern.test(syntax))?.[1];
  const uid = /^[\d.]{1,64}$/.test(syntax) ? syntax : "that is no uid";
  throw new DicomFault(
    `is a DICOM file ${what ?? "stored"} in transfer syntax ${uid}, which is not read: decompress it first`,
  );
}
