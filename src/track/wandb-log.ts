/**
 * The framing of .wandb files: LevelDB's log (https://github.com/google/leveldb/blob/main/doc/log_format.md) after a header of
 * seven bytes, with the CRC-32 of zlib in place of CRC-32C.
 */
import { crc32 } from "node:zlib";

const blockBytes = 32_768;
const headBytes = 7;
const types = { full: 1, first: 2, middle: 3, last: 4 } as const;

/** ":W&B", the number 0xBEE1, and version 0. */
export const wandbHeader = Uint8Array.from([0x3a, 0x57, 0x26, 0x42, 0xe1, 0xbe, 0]);

/** Records as they stand in a file from byte `offset` on; one that does not fit into its block is cut into fragments. */
export function logRecords(records: readonly Uint8Array[], offset: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let at = offset;
  const put = (bytes: Uint8Array) => {
    parts.push(bytes);
    at += bytes.length;
  };
  for (const record of records) {
    for (let [done, begun] = [0, false]; !begun || done < record.length; ) {
      const left = blockBytes - (at % blockBytes);
      if (left < headBytes) {
        put(new Uint8Array(left));
        continue;
      }
      const data = record.subarray(done, done + left - headBytes);
      const isLast = done + data.length === record.length;
      put(fragment(data, begun ? (isLast ? types.last : types.middle) : isLast ? types.full : types.first));
      done += data.length;
      begun = true;
    }
  }
  return Buffer.concat(parts);
}

function fragment(data: Uint8Array, type: number): Uint8Array {
  const bytes = Buffer.alloc(headBytes + data.length);
  bytes.writeUInt16LE(data.length, 4);
  bytes.writeUInt8(type, 6);
  bytes.set(data, headBytes);
  bytes.writeUInt32LE(crc32(bytes.subarray(6)), 0); // of type and data
  return bytes;
}
