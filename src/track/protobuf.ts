/** Messages of trackers' protocol buffers, from the numbers of their fields. */
import protobuf from "protobufjs/minimal.js";

/** Number, kind and value of a field. */
export type Field =
  | FieldOf<"int", number>
  | FieldOf<"double", number>
  | FieldOf<"float", number>
  | FieldOf<"text", string>
  | FieldOf<"bytes", Uint8Array>;
type FieldOf<K extends string, V> = readonly [number: number, kind: K, value: V];

/** An encoded message; a message within it is a field of its bytes. */
export function message(...fields: readonly Field[]): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const field of fields) write(writer, field);
  return writer.finish();
}

/** Wire types (https://protobuf.dev/programming-guides/encoding). */
const [varint, bits64, delimited, bits32] = [0, 1, 2, 5];

function write(writer: protobuf.Writer, field: Field): void {
  const tag = (type: number) => writer.uint32(field[0] * 8 + type);
  if (field[1] === "text") tag(delimited).string(field[2]);
  else if (field[1] === "bytes") tag(delimited).bytes(field[2]);
  else if (field[1] === "int") tag(varint).int64(field[2]);
  else if (field[1] === "double") tag(bits64).double(field[2]);
  else tag(bits32).float(field[2]);
}
