/**
 * Image files to 8-bit RGB pixels, equal to what Pillow's `exif_transpose` and `convert("RGB")` give to transformers:
 * EXIF rotation is applied, alpha is dropped without compositing, colour profiles are ignored, CMYK is converted by its
 * plain formula, of several frames the first is taken. 16-bit files are the exception: every value v becomes v >> 8, its
 * place in the full range 0..65535 (Pillow cuts grey at 255), or in the range that comes with the image. DICOM files and
 * slices of NIfTI volumes are shown in their window, or in the one that comes with the image (dicom/, nifti/).
 */
import { resolve } from "node:path";
import sharp, { type Metadata, type Sharp, type SharpOptions } from "sharp";
import { messageOf, UserError } from "../core/errors.ts";
import { imageFile } from "../core/image-names.ts";
import type { ImageRef, ImageSize, RawImage } from "../core/records.ts";
import { decodeDicom, dicomSize } from "./dicom/decode.ts";
import { isDicom } from "./dicom/parse.ts";
import { sha256 } from "./files.ts";
import type { FrameImage } from "./frame-image.ts";
import { fillAround, opaqueGif } from "./gif-frame.ts";
import { HEAD_BYTES, readHead, readImageFile } from "./image-files.ts";
import { decodeNifti, niftiSize } from "./nifti/decode.ts";
import { isGzip, isNifti } from "./nifti/header.ts";
import { windowed } from "./sixteen-bits.ts";
import { ycbcrKind, ycbcrToRgb } from "./tiff-ycbcr.ts";

/** A larger image is refused before it is decoded: 10,000 x 10,000. */
export const MAX_IMAGE_PIXELS = 100_000_000;
/** The largest image takes a few seconds; a file made to be slow may not take for ever. */
const LIMIT = { seconds: 120 };
const KNOWN = "PNG, JPEG, WebP, TIFF, GIF, DICOM, NIfTI";
const FORMATS = ["png", "jpeg", "webp", "tiff", "gif", "heif"];

/**
 * Pixels in RGB with the size as shown (after EXIF rotation) and the hash of the file, or of pixels given directly; where a
 * range, a window or a frame was chosen, the hash of the file and of these.
 */
export interface DecodedImage {
  readonly image: RawImage;
  readonly sha256: string;
  readonly width: number;
  readonly height: number;
}

/**
 * Decodes a file (relative paths count from `baseFolder`) or `ref.bytes`, its content, or takes `ref.pixels`. Throws
 * UserError naming the path.
 */
export async function decodeImage(ref: ImageRef, baseFolder = "."): Promise<DecodedImage> {
  if (ref.pixels !== undefined) return fromPixels(ref.path, ref.pixels);
  const path = ref.bytes === undefined ? resolve(baseFolder, ref.path) : ref.path;
  const bytes = ref.bytes ?? (await readImageFile(path));
  const asked = { window: ref.window, maxPixels: MAX_IMAGE_PIXELS };
  if (isDicom(bytes)) return fromFrame(bytes, ref, await decodeDicom(path, bytes, asked));
  if (isNifti(bytes)) return fromFrame(bytes, ref, await decodeNifti(path, bytes, asked));
  const metadata = await readMetadata(path, bytes);
  const range = metadata.depth === "ushort" ? ref.range : undefined;
  const image = await decode(path, bytes, metadata, range);
  const hash = range === undefined ? sha256(bytes) : sha256(`${sha256(bytes)} ${range.join(" ")}`);
  return { image, sha256: hash, width: image.width, height: image.height };
}

/**
 * The size that `decodeImage` would give, from the file's header where that tells it. Throws its UserErrors; damage behind
 * the header shows only when the image is decoded.
 */
export async function imageSize(ref: ImageRef, baseFolder = "."): Promise<ImageSize> {
  if (ref.pixels !== undefined) return ref.pixels;
  const path = ref.bytes === undefined ? resolve(baseFolder, ref.path) : ref.path;
  const head = ref.bytes ?? (await readHead(imageFile(path).file));
  if (isDicom(head)) {
    const limits = { maxPixels: MAX_IMAGE_PIXELS, isWhole: ref.bytes !== undefined || head.length < HEAD_BYTES };
    const size = await dicomSize(path, head, limits);
    return size ?? (await dicomSize(path, await readImageFile(path), { ...limits, isWhole: true }))!;
  }
  if (isNifti(head)) return niftiSize(path, head, { maxPixels: MAX_IMAGE_PIXELS });
  if (ref.bytes !== undefined) return (await readMetadata(path, ref.bytes)).autoOrient;
  const header = await sharp(path, { ...options, limitInputPixels: false })
    .metadata()
    .catch(() => null);
  if (header === null) return decodeImage(ref, baseFolder); // it says what is wrong
  checkMetadata(path, header);
  return header.autoOrient;
}

/** A PNG file of 8-bit grey or RGB pixels. */
export async function encodePng(image: RawImage): Promise<Uint8Array> {
  const { width, height, channels, data } = image;
  return sharp(data, { raw: { width, height, channels } }).png().toBuffer();
}

const options: SharpOptions = {
  failOn: "error",
  ignoreIcc: true,
  autoOrient: true,
  limitInputPixels: MAX_IMAGE_PIXELS,
};

/** Known by its first bytes: a decoder for any other format (SVG, PDF…) never sees the file. */
function hasKnownStart(bytes: Uint8Array): boolean {
  const start = Buffer.from(bytes.subarray(0, 12)).toString("latin1");
  if (/^(\x89PNG|\xff\xd8\xff|GIF8|II[*+]\0|MM\0[*+])/.test(start)) return true;
  return /^RIFF.{4}WEBP|^.{4}ftyp/s.test(start);
}

/** How names of files with these bytes end: ".png", ".dcm"; "" for what is no known image. */
export function imageExtension(bytes: Uint8Array): string {
  const start = Buffer.from(bytes.subarray(0, 12)).toString("latin1");
  const found = EXTENSIONS.find(([pattern]) => pattern.test(start));
  if (isNifti(bytes)) return isGzip(bytes) ? ".nii.gz" : ".nii";
  return isDicom(bytes) ? ".dcm" : (found?.[1] ?? "");
}

const EXTENSIONS: readonly (readonly [RegExp, string])[] = [
  [/^\x89PNG/, ".png"],
  [/^\xff\xd8\xff/, ".jpg"],
  [/^GIF8/, ".gif"],
  [/^RIFF.{4}WEBP/s, ".webp"],
  [/^(?:II|MM)/, ".tif"],
];

async function readMetadata(path: string, bytes: Uint8Array): Promise<Metadata> {
  requireNoFrame(path);
  if (bytes.length === 0) throw new UserError(`image ${path} is an empty file`);
  if (!hasKnownStart(bytes)) {
    const isSvg = /^\s*<(\?xml|svg)/i.test(Buffer.from(bytes.subarray(0, 100)).toString("latin1"));
    const reason = isSvg ? "is in the format svg, which is not read" : `is no image in a known format (${KNOWN})`;
    throw new UserError(`image ${path} ${reason}: replace or convert it`);
  }
  let metadata: Metadata;
  try {
    metadata = await sharp(bytes, { ...options, limitInputPixels: false })
      .timeout(LIMIT)
      .metadata();
  } catch (error) {
    const isUnknown = /unsupported image format/.test(messageOf(error));
    const reason = isUnknown ? `is no image in a known format (${KNOWN})` : `is damaged (${brief(error)})`;
    throw new UserError(`image ${path} ${reason}: replace or convert it`, { cause: error });
  }
  checkMetadata(path, metadata);
  return metadata;
}

/** Of the other formats the first frame is taken. */
function requireNoFrame(path: string): void {
  if (imageFile(path).frame === null) return;
  throw new UserError(
    `image ${path} is no DICOM or NIfTI file, so that no frame of it can be chosen: leave #frame=… out`,
  );
}

/** Refuses what cannot be decoded to 8-bit pixels, or not in reasonable memory. */
function checkMetadata(path: string, { format, width, height, depth }: Metadata): void {
  if (!FORMATS.includes(format)) {
    throw new UserError(`image ${path} is in the format ${format}, which is not read: convert it to PNG`);
  }
  if (depth !== "uchar" && depth !== "ushort") {
    throw new UserError(
      `image ${path} has pixels of type ${depth}: convert it to an 8-bit PNG with the window you want`,
    );
  }
  if (width * height > MAX_IMAGE_PIXELS) {
    throw new UserError(
      `image ${path} has ${width} x ${height} pixels, more than ${MAX_IMAGE_PIXELS}: scale it down or cut it first`,
    );
  }
}

async function decode(
  path: string,
  bytes: Uint8Array,
  metadata: Metadata,
  range: ImageRef["range"],
): Promise<RawImage> {
  try {
    const { format, space, channels } = metadata;
    const gif = format === "gif" ? opaqueGif(bytes) : null;
    const input = sharp(gif?.bytes ?? bytes, options).timeout(LIMIT);
    const { data, info } = await pixelsOf(input, space, range);
    const { width, height } = info;
    if (space === "cmyk") return { width, height, channels: 3, data: cmykToRgb(data, info.channels) };
    const ycbcr = format === "tiff" && channels === 3 ? ycbcrKind(bytes) : null;
    if (ycbcr !== null) ycbcrToRgb(data, ycbcr);
    const image = toRgb({ width, height, channels: info.channels === 1 ? 1 : 3, data });
    if (gif !== null) fillAround(image.data, width, gif);
    return image;
  } catch (error) {
    throw new UserError(`image ${path} is damaged or cut short (${brief(error)}): replace it`, { cause: error });
  }
}

function pixelsOf(input: Sharp, space: string | undefined, range: ImageRef["range"]) {
  if (range !== undefined) return windowed(input, space ?? "rgb16", range);
  const pipeline = space === "cmyk" ? input.pipelineColourspace("cmyk").toColourspace("cmyk") : input.removeAlpha();
  return pipeline.raw().toBuffer({ resolveWithObject: true });
}

/** One frame or slice of a file. */
function fromFrame(
  bytes: Uint8Array,
  { window }: ImageRef,
  { image, frame, frames, usedWindow }: FrameImage,
): DecodedImage {
  const chosen = [
    ...(frames > 1 ? [`frame ${frame}`] : []),
    ...(usedWindow ? [`window ${window!.center} ${window!.width}`] : []),
  ];
  const hash = chosen.length === 0 ? sha256(bytes) : sha256([sha256(bytes), ...chosen].join(" "));
  return { image: toRgb(image), sha256: hash, width: image.width, height: image.height };
}

function fromPixels(name: string, pixels: RawImage): DecodedImage {
  const { width, height, channels, data } = pixels;
  const isSize = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
  if (!isSize || data.length !== width * height * channels) {
    throw new UserError(
      `image ${name}: ${width} x ${height} pixels of ${channels} channels need a positive size and ` +
        `${width * height * channels} bytes, got ${data.length}`,
    );
  }
  return { image: toRgb(pixels), sha256: sha256(data), width, height };
}

function toRgb(image: RawImage): RawImage {
  if (image.channels === 3) return image;
  const data = new Uint8Array(3 * image.data.length);
  for (let i = 0; i < image.data.length; i++) data.fill(image.data[i]!, 3 * i, 3 * i + 3);
  return { ...image, channels: 3, data };
}

/** Pillow's conversion: the ink c over black k leaves (255 - k) - c (255 - k) / 255, rounded. */
function cmykToRgb(cmyk: Uint8Array, stride: number): Uint8Array {
  const pixels = cmyk.length / stride;
  const rgb = new Uint8Array(3 * pixels);
  for (let i = 0; i < pixels; i++) {
    const white = 255 - cmyk[i * stride + 3]!;
    for (let c = 0; c < 3; c++) rgb[3 * i + c] = white - Math.round((cmyk[i * stride + c]! * white) / 255);
  }
  return rgb;
}

/** A decoder's message in one line. */
function brief(error: unknown): string {
  return messageOf(error).replace(/\s+/g, " ").trim();
}
