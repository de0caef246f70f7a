/** The heads of compressed frames: what size they claim, seen before a decoder makes room for it, and how colours are meant. */
import { DicomFault } from "./fault.ts";
import type { DicomHeader } from "./header.ts";

/** What a frame's own head says. */
export interface FrameHead {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly channels: number;
}

/** The head, of the size that the file says; anything else throws DicomFault. */
export function requireFrameSize(bytes: Uint8Array, { width, height, samplesPerPixel }: DicomHeader): FrameHead {
  const head = jpegHead(bytes) ?? jpeg2000Head(bytes);
  if (head === null) throw new DicomFault("is a DICOM file whose compressed pixels are damaged");
  if (head.width === width && head.height === height && head.channels === samplesPerPixel) return head;
  throw new DicomFault(
    `is a DICOM file of ${width} x ${height} pixels and ${samplesPerPixel} channels whose compressed frame has ` +
      `${head.width} x ${head.height} and ${head.channels}: replace it`,
  );
}

/** A JPEG file with a marker that says whether its colours are YCbCr, in place of one that it may have (ISO 10918-6). */
export function adobeMarked(bytes: Uint8Array, isYcbcr: boolean): Uint8Array {
  for (const { marker, at } of segments(bytes))
    if (marker === 0xee && latin1(bytes, at, at + 5) === "Adobe") return bytes;
  const jfif = [...segments(bytes)].find(({ marker, at }) => marker === 0xe0 && latin1(bytes, at, at + 4) === "JFIF");
  const marker = Uint8Array.from([0xff, 0xee, 0, 14, ...Buffer.from("Adobe"), 0, 100, 0, 0, 0, 0, isYcbcr ? 1 : 0]);
  // A JFIF marker says YCbCr and comes first: without it, Adobe's is believed.
  const rest =
    jfif === undefined ? bytes.subarray(2) : Buffer.concat([bytes.subarray(2, jfif.at - 4), bytes.subarray(jfif.end)]);
  return Buffer.concat([bytes.subarray(0, 2), marker, rest]);
}

function jpegHead(bytes: Uint8Array): FrameHead | null {
  for (const { marker, at, end } of segments(bytes)) {
    const isFrame = (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) || marker === 0xf7;
    if (isFrame && end - at >= 6) {
      return { bits: bytes[at]!, height: word(bytes, at + 1), width: word(bytes, at + 3), channels: bytes[at + 5]! };
    }
  }
  return null;
}

/** Segments of a JPEG file before its first scan: the marker, where its content begins, and where it ends. */
function* segments(
  bytes: Uint8Array,
): Generator<{ readonly marker: number; readonly at: number; readonly end: number }> {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return;
  for (let at = 2; at + 4 <= bytes.length; ) {
    if (bytes[at] !== 0xff) return;
    const marker = bytes[at + 1]!;
    if (marker === 0xff) {
      at++;
      continue;
    }
    const end = at + 2 + word(bytes, at + 2);
    if (end < at + 4 || end > bytes.length) return;
    yield { marker, at: at + 4, end };
    if (marker === 0xda) return;
    at = end;
  }
}

/** The SIZ segment, which begins a codestream; a JP2 file holds it within a box. */
function jpeg2000Head(bytes: Uint8Array): FrameHead | null {
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 4096)).indexOf("ff4fff51", "hex");
  if (at < 0 || at + 43 > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at + 8);
  const [right, bottom, left, top] = [0, 4, 8, 12].map((offset) => view.getUint32(offset)) as [
    number,
    number,
    number,
    number,
  ];
  return {
    width: right - left,
    height: bottom - top,
    channels: view.getUint16(32),
    bits: (view.getUint8(34) & 127) + 1,
  };
}

const word = (bytes: Uint8Array, at: number) => bytes[at]! * 256 + bytes[at + 1]!;
const latin1 = (bytes: Uint8Array, from: number, to: number) =>
  Buffer.from(bytes.subarray(from, to)).toString("latin1");
