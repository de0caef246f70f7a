/** Bytes of a text file that are no UTF-8: guessed letters would change what the text says. */
import { isUtf8 } from "node:buffer";

/** Why bytes that begin in a file's line `line` are no UTF-8; null where they are. */
export function encodingFault(bytes: Buffer, line = 1): string | null {
  const isWide = /^(\xff\xfe|\xfe\xff|\0[^\0]|[^\0]\0)/.test(bytes.subarray(0, 2).toString("latin1"));
  if (isWide) return "it is UTF-16";
  if (isUtf8(bytes)) return null;
  let faulty = line;
  for (let start = 0; ; faulty++) {
    const end = bytes.indexOf(10, start);
    if (end < 0 || !isUtf8(bytes.subarray(start, end))) break;
    start = end + 1;
  }
  return `line ${faulty} is not UTF-8`;
}
