import { describe, expect, test } from "vitest";
import { MessageWriter } from "./protobuf.ts";

const hex = (writer: MessageWriter) => Buffer.from(writer.finish()).toString("hex");

describe("MessageWriter", () => {
  test.each([
    [0, "0800"],
    [1, "0801"],
    [127, "087f"],
    [128, "088001"],
    [150, "089601"],
    [2 ** 32 - 1, "08ffffffff0f"],
    [2 ** 32, "088080808010"],
    [2 ** 32 + 5, "088580808010"],
    [Number.MAX_SAFE_INTEGER, "08ffffffffffffff0f"],
    [-1, "08ffffffffffffffffff01"],
    [-150, "08eafeffffffffffffff01"],
    [-(2 ** 32), "0880808080f0ffffffff01"],
  ])("varint %d", (value, expected) => {
    expect(hex(new MessageWriter().varint(1, value))).toBe(expected);
  });

  test("field numbers above 15 take two bytes", () => {
    expect(hex(new MessageWriter().varint(15, 1))).toBe("7801");
    expect(hex(new MessageWriter().varint(20, 7))).toBe("a00107");
  });

  test("floats are four little-endian bytes", () => {
    expect(hex(new MessageWriter().float(2, 1))).toBe("150000803f");
    expect(hex(new MessageWriter().float(2, -0.5))).toBe("15000000bf");
  });

  test("strings are counted in bytes", () => {
    expect(hex(new MessageWriter().string(2, "testing"))).toBe("120774657374696e67");
    expect(hex(new MessageWriter().string(1, "µ"))).toBe("0a02c2b5");
    expect(hex(new MessageWriter().string(1, ""))).toBe("0a00");
  });

  test("a length of 128 or more is itself a varint", () => {
    const bytes = new MessageWriter().bytes(9, new Uint8Array(300).fill(7)).finish();
    expect(Array.from(bytes.subarray(0, 4))).toEqual([0x4a, 0xac, 0x02, 7]);
    expect(bytes.byteLength).toBe(303);
  });

  test("messages nest", () => {
    const inner = new MessageWriter().varint(1, 150);
    expect(hex(new MessageWriter().message(3, inner).varint(1, 2))).toBe("1a030896010802");
    expect(hex(new MessageWriter().message(3, new MessageWriter()))).toBe("1a00");
  });

  test("packed integers", () => {
    expect(hex(new MessageWriter().packedInts(1, [3, 270, -1]))).toBe("0a0d" + "03" + "8e02" + "ffffffffffffffffff01");
    expect(hex(new MessageWriter().packedInts(1, []))).toBe("0a00");
  });

  test("a fraction is refused", () => {
    expect(() => new MessageWriter().varint(1, 1.5)).toThrow(RangeError);
  });
});
