import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { messageOf, UserError } from "../core/errors.ts";
import { openSafetensors, writeSafetensors } from "./safetensors.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-safetensors-"));
const path = join(folder, "x.safetensors");
afterAll(() => rmSync(folder, { recursive: true }));

/** A file of any header and `dataBytes` bytes of data; `length` may lie. */
function craft(header: unknown, dataBytes: number, length?: number | bigint): void {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(length ?? json.length));
  writeFileSync(path, Buffer.concat([prefix, json, Buffer.alloc(dataBytes, 1)]));
}

const entry = (dtype: unknown, shape: unknown, ...offsets: unknown[]): object => ({
  dtype,
  shape,
  data_offsets: offsets,
});

describe("writing and reading", () => {
  const tensors = [
    { name: "b", shape: [2, 3], data: Float32Array.of(1, -2, 0.5, 1e-3, NaN, Infinity) },
    { name: "größe", shape: [], data: Float32Array.of(3) },
    { name: "empty", shape: [0, 4], data: new Float32Array() },
  ];

  it.each(["F32", "F16", "BF16"] as const)("round-trips %s", (dtype) => {
    writeSafetensors(path, tensors, dtype);
    const file = openSafetensors(path);
    expect(new Set(file.names)).toEqual(new Set(["b", "größe", "empty"]));
    expect(file.metadata).toEqual({ format: "pt" });
    expect(file.info("b")).toMatchObject({ dtype, shape: [2, 3] });
    const tolerance = { F32: 0, F16: 2 ** -11, BF16: 2 ** -8 }[dtype];
    const read = file.readFloat32("b");
    tensors[0]!.data.forEach((value, i) => {
      if (Number.isFinite(value)) expect(Math.abs(read[i]! - value)).toBeLessThanOrEqual(tolerance * Math.abs(value));
      else expect(read[i]).toBe(value);
    });
    expect(file.readFloat32("größe")).toEqual(Float32Array.of(3));
    expect(file.readFloat32("empty")).toEqual(new Float32Array());
    file.close();
  });

  it("aligns the data to 8 bytes and leaves no other file", () => {
    writeSafetensors(path, tensors);
    const bytes = readFileSync(path);
    expect(Number(bytes.readBigUInt64LE()) % 8).toBe(0);
    expect(bytes.length).toBe(8 + Number(bytes.readBigUInt64LE()) + 4 * 7);
    expect(readdirSync(folder)).toEqual(["x.safetensors"]);
  });

  it.each(["F32", "F16", "BF16"] as const)("reads rows of %s alone", (dtype) => {
    const data = Float32Array.from({ length: 24 }, (_, i) => i);
    writeSafetensors(
      path,
      [
        { name: "before", shape: [1], data: Float32Array.of(9) },
        { name: "x", shape: [4, 3, 2], data },
      ],
      dtype,
    );
    const file = openSafetensors(path);
    expect(file.readRows("x", 1, 3)).toEqual(data.slice(6, 18));
    expect(file.readRows("x", 0, 4)).toEqual(file.readFloat32("x"));
    expect(file.readRows("x", 4, 4)).toEqual(new Float32Array());
    for (const [from, to] of [
      [-1, 2],
      [2, 1],
      [0, 5],
      [0.5, 1],
    ] as const) {
      expect(() => file.readRows("x", from, to)).toThrow(/"x" has 4 rows/);
    }
    file.close();
  });

  it("keeps metadata beside the format", () => {
    writeSafetensors(path, tensors, "F32", { base: "org/name" });
    const file = openSafetensors(path);
    expect(file.metadata).toEqual({ format: "pt", base: "org/name" });
    file.close();
  });

  it("converts tensors longer than a chunk whole", () => {
    const data = Float32Array.from({ length: (1 << 22) + 3 }, (_, i) => i % 251);
    writeSafetensors(path, [{ name: "x", shape: [data.length], data }], "BF16");
    const file = openSafetensors(path);
    expect(Buffer.compare(Buffer.from(file.readFloat32("x").buffer), Buffer.from(data.buffer))).toBe(0);
    file.close();
  });

  it("reads `data` only when its turn comes", () => {
    const order: string[] = [];
    const lazy = (name: string) => ({
      name,
      shape: [1],
      get data() {
        order.push(name);
        return Float32Array.of(1);
      },
    });
    writeSafetensors(path, [lazy("a"), lazy("b")]);
    expect(order).toEqual(["a", "b"]);
  });

  it("refuses a wrong size, a name given twice and a name the reader would refuse", () => {
    const one = { name: "a", shape: [1], data: Float32Array.of(1) };
    expect(() => writeSafetensors(path, [{ ...one, shape: [2] }])).toThrow('"a" has shape [2] but 1 values');
    expect(() => writeSafetensors(path, [one, one])).toThrow('two tensors are called "a"');
    expect(() => writeSafetensors(path, [{ ...one, name: "__proto__" }])).toThrow("no name for a tensor");
    expect(readdirSync(folder)).toEqual(["x.safetensors"]);
  });

  it("reads what the reference implementation wrote", () => {
    const file = openSafetensors("test/golden/qwen2_vl/two_images/golden.safetensors");
    expect(file.info("pixel_values")).toMatchObject({ dtype: "F32", shape: [48, 1176] });
    expect(file.readFloat32("pixel_values").every((value) => Math.abs(value) < 3)).toBe(true);
    file.close();
  });
});

describe("other dtypes", () => {
  it("are listed, and refused as weights", () => {
    craft({ x: entry("I64", [2], 0, 16), y: entry("F4", [3], 16, 17.5), z: entry("F8_E4M3", [1], 17, 18) }, 18);
    expect(() => openSafetensors(path)).toThrow(/tensor "y"/);
    craft({ x: entry("I64", [2], 0, 16), y: entry("F4", [2], 16, 17) }, 17);
    const file = openSafetensors(path);
    expect(file.names).toEqual(["x", "y"]);
    expect(() => file.readFloat32("x")).toThrow(/tensor "x" is stored as I64; only F32, F16 and BF16/);
    expect(() => file.readFloat32("q")).toThrow(/holds no tensor "q"/);
    file.close();
  });
});

describe("hostile headers", () => {
  const f32 = (...offsets: unknown[]): object => entry("F32", [1], ...offsets);
  it.each<[string, () => void, RegExp]>([
    ["an empty file", () => writeFileSync(path, ""), /0 bytes, too few/],
    [
      "a pointer of Git LFS",
      () => writeFileSync(path, "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n"),
      /it is a pointer of Git LFS: fetch the file itself, git lfs pull/,
    ],
    ["a web page", () => writeFileSync(path, "<!DOCTYPE html>\n<title>404</title>"), /it is a web page: download/],
    ["seven bytes", () => writeFileSync(path, "1234567"), /7 bytes, too few/],
    ["a length beyond the file", () => craft({}, 0, 100), /claims 100 bytes, but the file has 10/],
    ["a length of 2^63", () => craft({}, 0, 1n << 63n), /more than 100000000/],
    ["a length of 2^64-1", () => craft({}, 0, (1n << 64n) - 1n), /more than 100000000/],
    ["a zero length", () => craft("", 4), /header is not JSON/],
    ["a length that cuts the JSON", () => craft({ x: f32(0, 4) }, 4, 5), /header is not JSON/],
    ["no JSON", () => craft("hello", 4), /header is not JSON/],
    ["bytes that are no UTF-8", () => writeFileSync(path, Buffer.of(2, 0, 0, 0, 0, 0, 0, 0, 0xc3, 0x28)), /not JSON/],
    ["an array", () => craft([], 0), /not a JSON object/],
    ["null", () => craft("null", 0), /not a JSON object/],
    ["metadata that is a list", () => craft({ __metadata__: [] }, 0), /__metadata__ is not an object/],
    ["metadata that is no string", () => craft({ __metadata__: { a: 1 } }, 0), /entry "a" is not a string/],
    ["a name twice", () => craft('{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"x":1}', 4), /names "x" twice/],
    ["a key twice", () => craft('{"x":{"dtype":"F32","dtype":"I32"}}', 4), /names "dtype" twice/],
    ["an empty name", () => craft({ "": f32(0, 4) }, 4), /tensor name "" is not allowed/],
    [
      "__proto__",
      () => craft('{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
      /"__proto__" is not/,
    ],
    ["a name with a line break", () => craft({ "a\nb": f32(0, 4) }, 4), /tensor name "a\\nb" is not allowed/],
    ["a tensor that is a number", () => craft({ x: 3 }, 4), /"x" is not described by an object/],
    ["a tensor that is null", () => craft({ x: null }, 4), /"x" is not described by an object/],
    ["an unknown dtype", () => craft({ x: entry("Q4_K", [1], 0, 4) }, 4), /"x" has the unknown dtype "Q4_K"/],
    ["a dtype named like a method", () => craft({ x: entry("toString", [1], 0, 4) }, 4), /unknown dtype/],
    ["no dtype", () => craft({ x: { shape: [1], data_offsets: [0, 4] } }, 4), /unknown dtype undefined/],
    ["no shape", () => craft({ x: { dtype: "F32", data_offsets: [0, 4] } }, 4), /"x" has shape undefined/],
    ["a fractional size", () => craft({ x: entry("F32", [0.5, 2], 0, 4) }, 4), /sizes must be integers/],
    ["a negative size", () => craft({ x: entry("F32", [-1, -1], 0, 4) }, 4), /sizes must be integers/],
    ["a size as text", () => craft({ x: entry("F32", ["1"], 0, 4) }, 4), /sizes must be integers/],
    [
      "a size beyond 2^53",
      () => craft('{"x":{"dtype":"F32","shape":[1e300],"data_offsets":[0,4]}}', 4),
      /must be integers/,
    ],
    ["sizes whose product overflows", () => craft({ x: entry("F32", [2 ** 40, 2 ** 40], 0, 4) }, 4), /takes .* bytes/],
    ["no offsets", () => craft({ x: { dtype: "F32", shape: [1] } }, 4), /"x" has data_offsets undefined/],
    ["one offset", () => craft({ x: f32(0) }, 4), /expected \[begin, end\]/],
    ["a negative offset", () => craft({ x: f32(-4, 0) }, 4), /expected \[begin, end\]/],
    ["offsets in reverse", () => craft({ x: f32(4, 0) }, 4), /expected \[begin, end\]/],
    ["a fractional offset", () => craft({ x: f32(0.5, 4.5) }, 5), /expected \[begin, end\]/],
    [
      "too few bytes for the shape",
      () => craft({ x: entry("F32", [2], 0, 4) }, 4),
      /takes 8 bytes, its offsets span 4/,
    ],
    [
      "too many bytes for the dtype",
      () => craft({ x: entry("F16", [1], 0, 4) }, 4),
      /takes 2 bytes, its offsets span 4/,
    ],
    ["an end after the file", () => craft({ x: f32(0, 4) }, 3), /"x" ends 1 bytes after the file/],
    ["a begin far after the file", () => craft({ x: f32(2 ** 50, 2 ** 50 + 4) }, 4), /after the file/],
    ["an overlap", () => craft({ x: f32(0, 4), y: f32(2, 6) }, 6), /"x" and "y" overlap/],
    ["two names for one range", () => craft({ x: f32(0, 4), y: f32(0, 4) }, 4), /"x" and "y" overlap/],
    ["a gap", () => craft({ x: f32(0, 4), y: f32(8, 12) }, 12), /4 bytes before tensor "y" belong to no tensor/],
    ["a gap at the start", () => craft({ x: f32(4, 8) }, 8), /4 bytes before tensor "x"/],
    ["bytes left over", () => craft({ x: f32(0, 4) }, 6), /last 2 bytes belong to no tensor/],
    [
      "a deep shape",
      () => craft(`{"x":{"dtype":"F32","shape":${"[".repeat(50000)}${"]".repeat(50000)}}}`, 0),
      /sizes must be/,
    ],
  ])("%s", (_, write, message) => {
    write();
    try {
      openSafetensors(path).close();
      expect.unreachable("the file was accepted");
    } catch (error) {
      expect(error).toBeInstanceOf(UserError);
      expect(messageOf(error)).toContain(path);
      expect(messageOf(error)).toMatch(message);
      expect(messageOf(error)).not.toContain("\n");
    }
  });

  it("never crashes on a damaged file", () => {
    writeSafetensors(path, [{ name: "x", shape: [2], data: Float32Array.of(1, 2) }]);
    const good = readFileSync(path);
    for (let i = 0; i < good.length - 8; i++) {
      for (const value of [0, 0x22, 0x2d, 0x39, 0x7b, 0xff]) {
        const bad = Buffer.from(good);
        bad[i] = value;
        writeFileSync(path, bad);
        try {
          const file = openSafetensors(path);
          for (const name of file.names) if (file.info(name).dtype === "F32") file.readFloat32(name);
          file.close();
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }
    }
  });

  it("names a missing file and a folder", () => {
    expect(() => openSafetensors(join(folder, "none"))).toThrow(/cannot read weights .*none: there is no such file/);
    expect(() => openSafetensors(folder)).toThrow(/it is not a file/);
  });

  it("tells when the file shrank after it was opened", () => {
    writeSafetensors(path, [{ name: "x", shape: [2], data: Float32Array.of(1, 2) }]);
    const file = openSafetensors(path);
    writeFileSync(path, readFileSync(path).subarray(0, -1)); // the same file, cut
    expect(() => file.readFloat32("x")).toThrow(/ended while it was read/);
    file.close();
  });
});
