/**
 * The elements of a DICOM file that viva reads: how its pixels are stored and shown, and its modality. This list is all that
 * leaves the folder but for the keyed hash of the patient's id (subject.ts), so nothing else of a patient can.
 */
import type { DataSet, Element } from "dicom-parser";
import { asFault, DicomFault } from "./fault.ts";
import type { Parsed } from "./parse.ts";
import { expandSegments } from "./segments.ts";

/** The allow-list. */
const tags = {
  modality: "x00080060",
  samplesPerPixel: "x00280002",
  photometric: "x00280004",
  planar: "x00280006",
  frames: "x00280008",
  rows: "x00280010",
  columns: "x00280011",
  bitsAllocated: "x00280100",
  bitsStored: "x00280101",
  highBit: "x00280102",
  signed: "x00280103",
  windowCenter: "x00281050",
  windowWidth: "x00281051",
  intercept: "x00281052",
  slope: "x00281053",
  windowFunction: "x00281056",
  modalityLuts: "x00283000",
  lutDescriptor: "x00283002",
  lutData: "x00283006",
  voiLuts: "x00283010",
  paletteDescriptors: ["x00281101", "x00281102", "x00281103"],
  paletteData: ["x00281201", "x00281202", "x00281203"],
  paletteSegments: ["x00281221", "x00281222", "x00281223"],
  sharedGroups: "x52009229",
  frameGroups: "x52009230",
  frameWindow: "x00289132",
  frameValues: "x00289145",
  pixels: "x7fe00010",
  floatPixels: ["x7fe00008", "x7fe00009"],
} as const;

/** Whether an element is one that viva reads. */
export function isRead(tag: string): boolean {
  return Object.values(tags)
    .flat()
    .includes(tag as never);
}

/** How the pixels are stored; sizes in pixels. */
export interface DicomHeader {
  readonly syntax: string;
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  readonly samplesPerPixel: number;
  /** MONOCHROME2, RGB, … */
  readonly photometric: string;
  /** Whether each channel stands by itself. */
  readonly planar: boolean;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly highBit: number;
  readonly signed: boolean;
  /** CT, MR, …; null where it is not one short word. */
  readonly modality: string | null;
}

/** A table from values to values: those up to `first` have its first entry, those beyond its last the last. */
export interface Lut {
  readonly first: number;
  /** Bits of an entry. */
  readonly bits: number;
  readonly entries: Uint16Array;
}

/** How stored values of a frame become greys: to values in the image's units, then through a table or a window. */
export interface GreyRule {
  readonly rescale: { readonly slope: number; readonly intercept: number } | null;
  readonly modalityLut: Lut | null;
  readonly voiLut: Lut | null;
  readonly window: { readonly center: number; readonly width: number; readonly curve: string } | null;
}

/** Throws DicomFault for a file without an image. */
export function readHeader({ dataSet, syntax }: Parsed): DicomHeader {
  return asFault("is a damaged DICOM file: replace it", () => {
    if (tags.floatPixels.some((tag) => tag in dataSet.elements)) {
      throw new DicomFault("is a DICOM file whose pixels are floating-point numbers, which are not read");
    }
    const height = dataSet.uint16(tags.rows);
    const width = dataSet.uint16(tags.columns);
    if (!(tags.pixels in dataSet.elements)) throw new DicomFault("is a DICOM file without an image");
    if (!width || !height) throw new DicomFault("is a DICOM file that does not say its image's size");
    const bitsAllocated = dataSet.uint16(tags.bitsAllocated) ?? 0;
    const bitsStored = dataSet.uint16(tags.bitsStored) ?? bitsAllocated;
    const modality = dataSet.string(tags.modality) ?? "";
    const photometric = dataSet.string(tags.photometric) ?? "";
    return {
      syntax,
      width,
      height,
      frames: Math.max(1, dataSet.intString(tags.frames) || 1),
      samplesPerPixel: dataSet.uint16(tags.samplesPerPixel) ?? 1,
      photometric: /^[A-Z0-9_ ]{1,16}$/.test(photometric) ? photometric : "",
      planar: dataSet.uint16(tags.planar) === 1,
      bitsAllocated,
      bitsStored,
      highBit: dataSet.uint16(tags.highBit) ?? bitsStored - 1,
      signed: dataSet.uint16(tags.signed) === 1,
      modality: /^[A-Z]{2,10}$/.test(modality) ? modality : null,
    };
  });
}

/** The element that holds the pixels; `readHeader` has seen that it is there. */
export function pixelElement({ dataSet }: Parsed): Element {
  return dataSet.elements[tags.pixels]!;
}

/** The rule of a frame, counted from 0: its own where the file has one for each, else that of all. */
export function greyRule({ dataSet }: Parsed, { signed }: DicomHeader, frame: number): GreyRule {
  return asFault("is a DICOM file with a damaged window or table", () => {
    const values = groupOf(dataSet, frame, tags.frameValues) ?? dataSet;
    const shown = groupOf(dataSet, frame, tags.frameWindow) ?? dataSet;
    const slope = values.floatString(tags.slope);
    const intercept = values.floatString(tags.intercept);
    const center = shown.floatString(tags.windowCenter);
    const width = shown.floatString(tags.windowWidth);
    const hasRescale = slope !== undefined && intercept !== undefined && Number.isFinite(slope * intercept);
    const hasWindow = center !== undefined && width !== undefined && Number.isFinite(center + width);
    return {
      rescale: hasRescale ? { slope, intercept } : null,
      modalityLut: lutOf(firstItem(values, tags.modalityLuts), signed),
      voiLut: lutOf(firstItem(shown, tags.voiLuts), signed),
      window: hasWindow ? { center, width, curve: shown.string(tags.windowFunction) ?? "LINEAR" } : null,
    };
  });
}

/** The tables of red, green and blue; null where one is missing. */
export function readPalette({ dataSet }: Parsed): readonly [Lut, Lut, Lut] | null {
  return asFault("is a DICOM file with a damaged palette", () => {
    const luts = tags.paletteDescriptors.map(
      (tag, i) =>
        readLut(dataSet, tag, tags.paletteData[i]!, false) ?? readSegments(dataSet, tag, tags.paletteSegments[i]!),
    );
    return luts.every((lut) => lut !== null) ? (luts as unknown as readonly [Lut, Lut, Lut]) : null;
  });
}

/** The values of a functional group for a frame. */
function groupOf(dataSet: DataSet, frame: number, tag: string): DataSet | null {
  const own = dataSet.elements[tags.frameGroups]?.items?.[frame]?.dataSet;
  const shared = firstItem(dataSet, tags.sharedGroups);
  return (own && firstItem(own, tag)) || (shared && firstItem(shared, tag)) || null;
}

function firstItem(dataSet: DataSet, tag: string): DataSet | null {
  return dataSet.elements[tag]?.items?.[0]?.dataSet ?? null;
}

function lutOf(item: DataSet | null, signed: boolean): Lut | null {
  return item === null ? null : readLut(item, tags.lutDescriptor, tags.lutData, signed);
}

function readSegments(dataSet: DataSet, descriptor: string, data: string): Lut | null {
  const element = dataSet.elements[data];
  const [count, first, bits] = [0, 1, 2].map((i) => dataSet.uint16(descriptor, i));
  if (element === undefined || count === undefined || first === undefined || (bits !== 8 && bits !== 16)) return null;
  const { byteArray, byteArrayParser } = dataSet;
  const { dataOffset, length } = element;
  const wordAt = (byte: number) => {
    if (byte + 2 > length) throw new DicomFault("is a DICOM file with a damaged palette");
    return byteArrayParser.readUint16(byteArray, dataOffset + byte);
  };
  const values =
    bits === 8
      ? byteArray.subarray(dataOffset, dataOffset + length)
      : Uint16Array.from({ length: Math.floor(length / 2) }, (_, i) => wordAt(2 * i));
  return { first, bits, entries: expandSegments({ values, wordAt }, count || 65_536) };
}

function readLut(dataSet: DataSet, descriptor: string, data: string, signed: boolean): Lut | null {
  const [about, element] = [dataSet.elements[descriptor], dataSet.elements[data]];
  const count = dataSet.uint16(descriptor, 0);
  const bits = dataSet.uint16(descriptor, 2);
  if (about === undefined || element === undefined || count === undefined || bits === undefined) return null;
  const { dataOffset, length } = element;
  const entries = count || 65_536;
  const isBytes = length === entries || length === entries + 1; // of an odd number of bytes one is padding
  const available = Math.min(entries, isBytes ? length : Math.floor(length / 2));
  if (available === 0 || bits < 1 || bits > 16) return null;
  const { byteArray, byteArrayParser } = dataSet;
  const read = (i: number) => {
    return isBytes ? byteArray[dataOffset + i]! : byteArrayParser.readUint16(byteArray, dataOffset + 2 * i);
  };
  const isSigned = about.vr === "SS" || (about.vr !== "US" && signed);
  const first = (isSigned ? dataSet.int16(descriptor, 1) : dataSet.uint16(descriptor, 1)) ?? 0;
  return { first, bits: isBytes ? 8 : bits, entries: Uint16Array.from({ length: available }, (_, i) => read(i)) };
}
