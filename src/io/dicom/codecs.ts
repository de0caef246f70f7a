/** Compressed frames by libraries: baseline JPEG by sharp, the others by builds of OpenJPEG, CharLS and a decoder in JavaScript. */
import { createRequire } from "node:module";
import sharp from "sharp";
import { createTimeLimit } from "../time-limit.ts";
import { adobeMarked, requireFrameSize } from "./codestream.ts";
import { DicomFault } from "./fault.ts";
import type { FrameBytes } from "./frames.ts";
import type { DicomHeader } from "./header.ts";
import { channelsOf, interleaved, type Stored, words } from "./stored.ts";

/** What a build of a C++ decoder offers; frames are of 1 to 16 bits, little-endian. */
interface WasmDecoder {
  getEncodedBuffer(length: number): Uint8Array;
  decode(): void;
  getDecodedBuffer(): Uint8Array | Uint8ClampedArray;
  getFrameInfo(): {
    readonly width: number;
    readonly height: number;
    readonly bitsPerSample: number;
    readonly componentCount: number;
  };
  /** JPEG-LS: 0 where each channel stands by itself. */
  getInterleaveMode?(): number;
  delete(): void;
}

interface WasmCodec {
  readonly JpegLSDecoder: new () => WasmDecoder;
  readonly J2KDecoder: new () => WasmDecoder;
}

interface LosslessModule {
  readonly Decoder: new () => { decompress(buffer: ArrayBuffer, offset: number, length: number): ArrayBuffer };
}

const require = createRequire(import.meta.url);
const withinTime = createTimeLimit();
/** One frame of the largest size takes a few seconds. */
const SECONDS = 20;
const DAMAGED = "is a DICOM file whose compressed pixels are damaged";

/** Baseline and progressive JPEG of 8 bits, in RGB where it is of three channels. */
export async function baselineJpeg({ bytes }: FrameBytes, header: DicomHeader): Promise<Stored> {
  const { bits } = requireFrameSize(bytes, header);
  if (bits !== 8)
    throw new DicomFault(
      `is a DICOM file of JPEG with ${bits} bits (transfer syntax ${header.syntax}), where 8 are read: decompress it first`,
    );
  const channels = channelsOf(header);
  const marked = channels === 3 ? adobeMarked(bytes, header.photometric !== "RGB") : bytes;
  try {
    const image = sharp(marked, { failOn: "error", ignoreIcc: true, limitInputPixels: false }).timeout({
      seconds: SECONDS,
    });
    const raw = channels === 1 ? image.toColourspace("b-w") : image;
    return { samples: await raw.raw().toBuffer(), channels, isRgb: channels === 3 };
  } catch {
    throw new DicomFault(DAMAGED);
  }
}

/** Lossless JPEG, processes 14. */
export function jpegLossless({ bytes }: FrameBytes, header: DicomHeader): Stored {
  const { bits } = requireFrameSize(bytes, header);
  const { Decoder } = require("jpeg-lossless-decoder-js") as LosslessModule;
  const { buffer } = Uint8Array.from(bytes);
  const data = guarded(() => new Uint8Array(new Decoder().decompress(buffer, 0, buffer.byteLength)));
  const channels = channelsOf(header);
  return { samples: bits > 8 ? words(data, false) : data, channels, isRgb: false };
}

/** JPEG-LS, lossless and near-lossless. */
export function jpegLs(frame: FrameBytes, header: DicomHeader): Promise<Stored> {
  return wasmFrame(frame, header, "@cornerstonejs/codec-charls", "JpegLSDecoder", false);
}

/** JPEG 2000, high-throughput or not, with its colour transform undone. */
export function jpeg2000(frame: FrameBytes, header: DicomHeader): Promise<Stored> {
  const isRgb = ["YBR_RCT", "YBR_ICT", "RGB"].includes(header.photometric);
  return wasmFrame(frame, header, "@cornerstonejs/codec-openjpeg", "J2KDecoder", isRgb);
}

const modules = new Map<string, Promise<WasmCodec>>();

async function wasmFrame(
  { bytes }: FrameBytes,
  header: DicomHeader,
  name: string,
  decoder: keyof WasmCodec,
  isRgb: boolean,
): Promise<Stored> {
  requireFrameSize(bytes, header);
  const opened = modules.get(name) ?? openCodec(name);
  modules.set(name, opened);
  const codec = await opened;
  try {
    return guarded(() => {
      const instance = new codec[decoder]();
      instance.getEncodedBuffer(bytes.length).set(bytes);
      instance.decode();
      const { width, height, bitsPerSample, componentCount } = instance.getFrameInfo();
      const planes = instance.getInterleaveMode?.() === 0;
      const data = Uint8Array.from(instance.getDecodedBuffer());
      instance.delete();
      const channels = channelsOf(header);
      if (width !== header.width || height !== header.height || componentCount !== channels)
        throw new Error("another size");
      const samples = bitsPerSample > 8 ? words(data, false) : data;
      return { samples: planes ? interleaved(samples, channels) : samples, channels, isRgb };
    });
  } catch (error) {
    modules.delete(name); // what a failed decoder left in its memory goes with it
    throw error;
  }
}

function openCodec(name: string): Promise<WasmCodec> {
  const factory = require(`${name}/decodewasmjs`) as (o: object) => Promise<WasmCodec>;
  const silent = () => {};
  return factory({ print: silent, printErr: silent });
}

function guarded<T>(work: () => T): T {
  try {
    return withinTime("decoding", work, SECONDS);
  } catch (error) {
    throw error instanceof DicomFault ? error : new DicomFault(DAMAGED);
  }
}
