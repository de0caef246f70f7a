/** Messages of trackers' protocol buffers, from the numbers of their fields. */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

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
  const writer = new BinaryWriter();
  for (const field of fields) write(writer, field);
  return writer.finish();
}

function write(writer: BinaryWriter, field: Field): void {
  const number = field[0];
  if (field[1] === "text") writer.tag(number, WireType.LengthDelimited).string(field[2]);
  else if (field[1] === "bytes") writer.tag(number, WireType.LengthDelimited).bytes(field[2]);
  else if (field[1] === "int") writer.tag(number, WireType.Varint).int64(field[2]);
  else if (field[1] === "double") writer.tag(number, WireType.Bit64).double(field[2]);
  else writer.tag(number, WireType.Bit32).float(field[2]);
}
