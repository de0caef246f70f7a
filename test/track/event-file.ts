/** Reads the numbers of a TensorBoard event file without TensorBoard. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import protobuf from "protobufjs/minimal.js";
import { expect } from "vitest";

/** A number, with its wall time in seconds. */
export type Point = readonly [tag: string, step: number, value: number, time: number];

export interface EventFile {
  readonly scalars: readonly Point[];
  /** All bytes, to look for texts in. */
  readonly text: string;
}

/** The one event file of a folder. */
export function readEventFile(folder: string): EventFile {
  const files = readdirSync(folder);
  expect(files).toHaveLength(1);
  const bytes = readFileSync(join(folder, files[0]!));
  const scalars: Point[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    scalars.push(...scalarsOf(bytes.subarray(at + 12, at + 12 + length)));
    at += length + 16;
  }
  return { scalars, text: bytes.toString("latin1") };
}

function scalarsOf(bytes: Uint8Array): readonly Point[] {
  const event = fieldsOf(bytes);
  const summaries = (event.get(5) ?? []) as readonly Uint8Array[];
  return summaries
    .flatMap((summary) => (fieldsOf(summary).get(1) ?? []) as readonly Uint8Array[])
    .flatMap((value): readonly Point[] => {
      const fields = fieldsOf(value);
      const number = fields.get(2)?.[0];
      if (typeof number !== "number") return [];
      const tag = Buffer.from(fields.get(1)![0] as Uint8Array).toString();
      return [[tag, (event.get(2)?.[0] as number) ?? 0, number, event.get(1)![0] as number]];
    });
}

function fieldsOf(bytes: Uint8Array): ReadonlyMap<number, readonly unknown[]> {
  const reader = protobuf.Reader.create(bytes);
  const found = new Map<number, unknown[]>();
  const read = [() => Number(reader.int64()), () => reader.double(), () => reader.bytes()];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const [number, type] = [tag >> 3, tag & 7];
    const value = type === 5 ? reader.float() : read[type]!();
    found.set(number, [...(found.get(number) ?? []), value]);
  }
  return found;
}
