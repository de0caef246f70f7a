import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { UserError } from "../core/errors.ts";
import { readJson, sha256, writeBeside, writeFileAtomic } from "./files.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-files-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("writeFileAtomic", () => {
  it("makes folders, replaces what was there and leaves nothing else", () => {
    const path = join(folder, "a", "b", "note.txt");
    writeFileAtomic(path, "first");
    writeFileAtomic(path, "größer");
    expect(readFileSync(path, "utf8")).toBe("größer");
    expect(readdirSync(join(folder, "a", "b"))).toEqual(["note.txt"]);
  });

  it("leaves the old file and no other when writing fails", () => {
    const path = join(folder, "kept.txt");
    writeFileAtomic(path, new Uint8Array([111, 108, 100]));
    const fail = (): void =>
      writeBeside(path, (write) => {
        write(Buffer.from("new"));
        throw new Error("disk gone");
      });
    expect(fail).toThrow("disk gone");
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(folder).filter((file) => file.startsWith("kept"))).toEqual(["kept.txt"]);
  });
});

it("writeFileAtomic tells why a file cannot be written", () => {
  writeFileAtomic(join(folder, "file"), "x");
  const below = join(folder, "file", "note.txt");
  expect(() => writeFileAtomic(below, "x")).toThrow(UserError);
  expect(() => writeFileAtomic(below, "x")).toThrow(
    `cannot write ${below}: a part of its path is a file, not a folder`,
  );
  expect(() => writeFileAtomic(folder, "x")).toThrow(`cannot write ${folder}: it is a folder`);
});

describe("readJson", () => {
  const read = (text: string): unknown => {
    writeFileSync(join(folder, "x.json"), text);
    return readJson(join(folder, "x.json"), "model configuration");
  };

  it("parses", () => expect(read('{"a": [1, 2]}')).toEqual({ a: [1, 2] }));

  it("names a missing file and a folder", () => {
    const missing = join(folder, "no.json");
    expect(() => readJson(missing, "model configuration")).toThrow(
      new UserError(`cannot read model configuration ${missing}: there is no such file`),
    );
    expect(() => readJson(folder, "model configuration")).toThrow(/it is a folder$/);
  });

  it.each([
    ['{"a": 1,\n "b": }', 2, 7],
    ['{\n"a": tru}', 2, 9],
    ["", 1, 1],
    ['{"a": [1, 2', 1, 12],
    ["\nabc", 2, 1],
    [`{"long": "${"x".repeat(100)}",\n\n  oops: 3}`, 3, 3],
    ['[1, 2]\n"rest"', 2, 1],
  ])("tells where %j is wrong", (text, line, column) => {
    expect(() => read(text)).toThrow(UserError);
    expect(() => read(text)).toThrow(new RegExp(`x\\.json is not valid JSON: line ${line}, column ${column}: [^\n]*$`));
  });
});

it("sha256 hashes text and bytes alike", () => {
  expect(sha256("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(sha256(new Uint8Array([97, 98, 99]))).toBe(sha256("abc"));
});
