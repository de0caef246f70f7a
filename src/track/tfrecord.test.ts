import { expect, test } from "vitest";
import { crc32c, tfRecord } from "./tfrecord.ts";

test("CRC-32C of RFC 3720's examples", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
});

test("a record is length, data and two checksums", () => {
  const record = Buffer.from(tfRecord(Buffer.from("abc")));
  expect(record.length).toBe(8 + 4 + 3 + 4);
  expect(record.readBigUInt64LE(0)).toBe(3n);
  expect(record.subarray(12, 15).toString()).toBe("abc");
});
