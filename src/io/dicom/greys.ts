/** Stored values to greys: the modality's table or rescaling, then the VOI table or a window (DICOM PS3.3 C.11.1 and C.11.2). */
import type { GreyWindow } from "../../core/windows.ts";
import { DicomFault } from "./fault.ts";
import type { DicomHeader, GreyRule, Lut } from "./header.ts";

/** The grey of every stored value, in two's complement of `bitsStored` bits: table[value & (2 ** bitsStored - 1)]. */
export function greyTable(header: DicomHeader, rule: GreyRule, given?: GreyWindow): Uint8Array {
  const count = 2 ** header.bitsStored;
  const lowest = header.signed ? -count / 2 : 0;
  const value = toUnits(rule);
  const share = toShare(header, rule, given, [value(lowest), value(lowest + count - 1)]);
  const isInverse = header.photometric === "MONOCHROME1";
  const table = new Uint8Array(count);
  for (let stored = lowest; stored < lowest + count; stored++) {
    const white = Math.min(1, Math.max(0, share(value(stored))));
    table[stored & (count - 1)] = Math.round(255 * (isInverse ? 1 - white : white));
  }
  return table;
}

/** The values of an image in its units, for a window that nobody gave; null where the file itself says how it is shown. */
export function unshownUnits(header: DicomHeader, rule: GreyRule): ((stored: number) => number) | null {
  return rule.voiLut === null && rule.window === null && header.bitsStored > 8 ? toUnits(rule) : null;
}

/** Stored numbers as 16 bits of 0 and more, lower byte first, with slope and intercept to the image's units. */
export function storedGreys(
  numbers: Int32Array,
  { bitsStored, signed }: DicomHeader,
  { modalityLut, rescale }: GreyRule,
) {
  const least = signed && modalityLut === null ? -(2 ** (bitsStored - 1)) : 0;
  const { slope, intercept } = modalityLut === null && rescale !== null ? rescale : { slope: 1, intercept: 0 };
  const stored = (number: number) => (modalityLut === null ? number - least : entryOf(modalityLut, number));
  const data = new Uint8Array(Uint16Array.from(numbers, stored).buffer);
  return { data, slope, intercept: intercept + slope * least };
}

function toUnits({ modalityLut, rescale }: GreyRule): (stored: number) => number {
  if (modalityLut !== null) return (stored) => entryOf(modalityLut, stored);
  return rescale === null ? (stored) => stored : (stored) => stored * rescale.slope + rescale.intercept;
}

/** 0 for black to 1 for white; without window and table the whole range that can be stored, as for other 16-bit images. */
function toShare(
  { modality }: DicomHeader,
  { modalityLut, voiLut, window }: GreyRule,
  given: GreyWindow | undefined,
  ends: readonly [number, number],
): (value: number) => number {
  if (given !== undefined && (given.modality ?? modality) === modality) return inWindow({ ...given, curve: "LINEAR" });
  if (voiLut !== null) return (value) => entryOf(voiLut, value) / (2 ** voiLut.bits - 1);
  if (window !== null) return inWindow(window);
  const [low, high] = modalityLut === null ? ends : [0, 2 ** modalityLut.bits - 1];
  const [black, white] = [Math.min(low, high), Math.max(low, high)];
  return white === black ? () => 0 : (value) => (value - black) / (white - black);
}

/** PS3.3 C.11.2.1.2 and C.11.2.1.3. */
export function inWindow({ center, width, curve }: NonNullable<GreyRule["window"]>): (value: number) => number {
  if (curve === "SIGMOID") return (value) => 1 / (1 + Math.exp((-4 * (value - center)) / width));
  const [middle, span] = curve === "LINEAR_EXACT" ? [center, width] : [center - 0.5, width - 1];
  if (width <= 0 || span < 0) throw new DicomFault(`is a DICOM file with a window of width ${width}`);
  return (value) => {
    if (value <= middle - span / 2) return 0;
    return value > middle + span / 2 ? 1 : (value - middle) / span + 0.5;
  };
}

function entryOf({ first, entries }: Lut, value: number): number {
  return entries[Math.min(entries.length - 1, Math.max(0, Math.round(value) - first))]!;
}
