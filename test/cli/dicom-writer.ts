/** Writes DICOM films as a scanner would, for tests and for bench/newcomer.ts: 12 bits of grey, uncompressed, with a patient. */
import { writeFileSync } from "node:fs";

/** A grey image of 8 bits, and whose it is. */
export interface Film {
  readonly width: number;
  readonly height: number;
  readonly grey: Uint8Array;
  readonly patient: string;
  /** "DX", "CT"; default "DX". */
  readonly modality?: string;
  /** The compressed frame of the values 16 v, which is written in their place. */
  readonly compressed?: { readonly syntax: string; readonly frame: Uint8Array };
}

const EXPLICIT_LITTLE = "1.2.840.10008.1.2.1";
const DIGITAL_XRAY = "1.2.840.10008.5.1.4.1.1.1.1";
const LONG = new Set(["OB", "OW", "UN", "SQ"]);
let made = 0;

/** Writes one file; every value v becomes 16 v, shown in a window from 0 to 4095. */
export function writeDicom(file: string, { width, height, grey, patient, modality = "DX", compressed }: Film): void {
  const uid = `2.25.${++made}`;
  const samples = Uint16Array.from(grey, (value) => 16 * value);
  const head = Buffer.concat([
    element(0x0002, 0x0002, "UI", DIGITAL_XRAY),
    element(0x0002, 0x0003, "UI", uid),
    element(0x0002, 0x0010, "UI", compressed?.syntax ?? EXPLICIT_LITTLE),
  ]);
  const body = [
    element(0x0008, 0x0016, "UI", DIGITAL_XRAY),
    element(0x0008, 0x0018, "UI", uid),
    element(0x0008, 0x0060, "CS", modality),
    element(0x0010, 0x0010, "PN", `${patient}^TEST`),
    element(0x0010, 0x0020, "LO", patient),
    element(0x0028, 0x0002, "US", 1),
    element(0x0028, 0x0004, "CS", "MONOCHROME2"),
    element(0x0028, 0x0010, "US", height),
    element(0x0028, 0x0011, "US", width),
    element(0x0028, 0x0100, "US", 16),
    element(0x0028, 0x0101, "US", 12),
    element(0x0028, 0x0102, "US", 11),
    element(0x0028, 0x0103, "US", 0),
    element(0x0028, 0x1050, "DS", "2047.5"),
    element(0x0028, 0x1051, "DS", "4096"),
    compressed === undefined
      ? element(0x7fe0, 0x0010, "OW", Buffer.from(samples.buffer))
      : encapsulated(compressed.frame),
  ];
  const length = element(0x0002, 0x0000, "UL", head.length);
  writeFileSync(file, Buffer.concat([Buffer.alloc(128), Buffer.from("DICM"), length, head, ...body]));
}

/** An element with an explicit value representation; text is padded to an even length. */
function element(group: number, tag: number, vr: string, value: string | number | Buffer): Buffer {
  const bytes = typeof value === "string" ? padded(value, vr) : typeof value === "number" ? numeric(vr, value) : value;
  const head = Buffer.alloc(LONG.has(vr) ? 12 : 8);
  head.writeUInt16LE(group, 0);
  head.writeUInt16LE(tag, 2);
  head.write(vr, 4, "latin1");
  if (LONG.has(vr)) head.writeUInt32LE(bytes.length, 8);
  else head.writeUInt16LE(bytes.length, 6);
  return Buffer.concat([head, bytes]);
}

/** Pixels of one compressed frame, without a table of offsets (PS3.5 A.4). */
function encapsulated(frame: Uint8Array): Buffer {
  const item = (tag: number, length: number) => {
    const head = Buffer.alloc(8);
    head.writeUInt16LE(0xfffe, 0);
    head.writeUInt16LE(tag, 2);
    head.writeUInt32LE(length, 4);
    return head;
  };
  const pixels = Buffer.from("e07f10004f420000ffffffff", "hex");
  const even = Buffer.concat([frame, Buffer.alloc(frame.length % 2)]);
  return Buffer.concat([pixels, item(0xe000, 0), item(0xe000, even.length), even, item(0xe0dd, 0)]);
}

function padded(text: string, vr: string): Buffer {
  return Buffer.from(text.length % 2 === 0 ? text : text + (vr === "UI" ? "\0" : " "), "latin1");
}

function numeric(vr: string, value: number): Buffer {
  const bytes = Buffer.alloc(vr === "UL" ? 4 : 2);
  if (vr === "UL") bytes.writeUInt32LE(value);
  else bytes.writeUInt16LE(value);
  return bytes;
}
