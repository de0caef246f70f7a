/** Tables that are written in segments (DICOM PS3.3 C.7.9.2): values, straight lines between values, and repeated segments. */
import { DicomFault } from "./fault.ts";

/** The table's data, of bytes or words; `wordAt` reads the words of offsets, which are at bytes. */
export interface SegmentedData {
  readonly values: Uint8Array | Uint16Array;
  readonly wordAt: (byte: number) => number;
}

const [DISCRETE, LINEAR, INDIRECT] = [0, 1, 2];

/** The `count` entries of the table; throws DicomFault for another number of them, or for segments that are none. */
export function expandSegments(data: SegmentedData, count: number): Uint16Array {
  const { values, wordAt } = data;
  const size = values.BYTES_PER_ELEMENT;
  const entries = new Uint16Array(count);
  let filled = 0;
  const add = (value: number) => {
    if (filled === count) throw damaged();
    entries[filled++] = value;
  };
  const valueAt = (at: number) => values[at] ?? fail();

  /** Reads one segment; returns where the next begins. */
  const read = (at: number, isRepeated: boolean): number => {
    const [kind, length] = [valueAt(at), valueAt(at + 1)];
    if (length === 0) throw damaged(); // each segment adds an entry, so that no table takes for ever
    if (kind === DISCRETE) {
      for (let i = 0; i < length; i++) add(valueAt(at + 2 + i));
      return at + 2 + length;
    }
    if (filled === 0) throw damaged(); // a line needs a beginning, a repetition something to repeat
    if (kind === LINEAR) {
      const [from, to] = [entries[filled - 1]!, valueAt(at + 2)];
      for (let i = 1; i <= length; i++) add(Math.round(from + ((to - from) * i) / length));
      return at + 3;
    }
    if (kind !== INDIRECT || isRepeated) throw damaged();
    const words = (at + 2) * size;
    let repeated = (wordAt(words) + 65_536 * wordAt(words + 2)) / size;
    for (let i = 0; i < length; i++) repeated = read(repeated, true);
    return at + 2 + 4 / size;
  };

  for (let at = 0; filled < count; ) at = read(at, false);
  return entries;
}

function fail(): never {
  throw damaged();
}

function damaged(): DicomFault {
  return new DicomFault("is a DICOM file with a damaged palette");
}
