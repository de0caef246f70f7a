/**
 * Protocol-buffer wire encoding, limited to what an ONNX model file needs
 * (https://protobuf.dev/programming-guides/encoding).
 */

/** Collects the fields of one message. */
export class MessageWriter {
  readonly #chunks: Uint8Array[] = [];
  #size = 0;

  varint(field: number, value: number): this {
    return this.#raw(varintBytes(field * 8)).#raw(varintBytes(value));
  }

  float(field: number, value: number): this {
    return this.#raw(varintBytes(field * 8 + 5)).#raw(new Uint8Array(Float32Array.of(value).buffer));
  }

  bytes(field: number, value: Uint8Array): this {
    return this.#raw(varintBytes(field * 8 + 2))
      .#raw(varintBytes(value.byteLength))
      .#raw(value);
  }

  string(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  message(field: number, value: MessageWriter): this {
    return this.bytes(field, value.finish());
  }

  /** Repeated int64, packed. */
  packedInts(field: number, values: readonly number[]): this {
    const body = new MessageWriter();
    for (const value of values) body.#raw(varintBytes(value));
    return this.bytes(field, body.finish());
  }

  finish(): Uint8Array {
    const out = new Uint8Array(this.#size);
    let offset = 0;
    for (const chunk of this.#chunks) {
      out.set(chunk, offset);
      offset += chunk.byteLength;
    }
    return out;
  }

  #raw(chunk: Uint8Array): this {
    this.#chunks.push(chunk);
    this.#size += chunk.byteLength;
    return this;
  }
}

/** Base-128 varint of a 64-bit two's complement integer (negative values take ten bytes). */
function varintBytes(value: number): Uint8Array {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest >= 0x80n) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest));
  return Uint8Array.from(out);
}
