/** Builds one ONNX graph: nodes, initializers, and the run-time values of symbolic sizes. */
import type { DType, TensorData } from "../../core/tensor-data.ts";
import type { Dim, TensorSpec } from "../spec.ts";
import { MessageWriter } from "./protobuf.ts";

/** ONNX opset version; com.microsoft operators are ONNX Runtime's contrib ops. */
const OPSET = 21;
const IR_VERSION = 10;

/** TensorProto.DataType */
const onnxType = { float32: 1, int64: 7, int32: 6, uint8: 2, bool: 9, float64: 11 } as const;

export type OnnxAttribute = number | readonly number[] | string | { readonly float: number };

/** Constants of at least this many bytes are stored as external data, since a model file may not exceed 2 GB. */
const EXTERNAL_BYTES = 1 << 20;

/** The bytes of a constant that the model refers to by `path`. */
export interface ExternalData {
  readonly path: string;
  readonly data: Uint8Array;
}

export class OnnxGraph {
  readonly external: ExternalData[] = [];
  readonly #nodes: OnnxNode[] = [];
  /** Values that are outputs, by the names of their nodes. */
  readonly #results = new Set<string>();
  /** For each reshaped value, the value it is a view of. */
  readonly #reshaped = new Map<string, string>();
  readonly #parts = new Map<string, readonly string[]>();
  readonly #shapes = new Map<string, string>();
  /** Final names of values that are renamed when the model is serialised. */
  readonly #renamed = new Map<string, string>();
  readonly #initializers = new Map<string, MessageWriter>();
  readonly #inputs: MessageWriter[] = [];
  readonly #outputs: MessageWriter[] = [];
  readonly #sizeSources = new Map<string, { value: string; axis: number }>();
  readonly #sizeValues = new Map<string, string>();
  #counter = 0;

  /**
   * All nodes so far, under the names their values were created with; `usedNodes` returns those that will be emitted.
   */
  get nodes(): readonly OnnxNode[] {
    return this.#nodes;
  }

  input(name: string, spec: TensorSpec): void {
    this.#inputs.push(valueInfo(name, spec));
    this.registerSizes(name, spec.shape);
  }

  /** Registers a value as the source of symbolic sizes that have none yet. */
  registerSizes(value: string, shape: readonly Dim[]): void {
    for (const [axis, dim] of shape.entries()) {
      if (typeof dim === "string" && !this.#sizeSources.has(dim)) this.#sizeSources.set(dim, { value, axis });
    }
  }

  /**
   * Makes a value an output. The producing node's output is renamed directly; an Identity node would make ONNX Runtime
   * copy it.
   */
  output(name: string, spec: TensorSpec, value: string): void {
    this.#outputs.push(valueInfo(name, spec));
    this.#results.add(value).add(name);
    const made = this.#nodes.some(({ outputs }) => outputs.includes(value));
    if (made && !this.#renamed.has(value)) this.#renamed.set(value, name);
    else this.#add("Identity", [value], [name]);
  }

  /** Adds a node and returns the name of its first output. */
  node(
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    o: { readonly domain?: string; readonly outputs?: number } = {},
  ): string {
    const outputs = this.#freshNames(opType, o.outputs ?? 1);
    this.#add(opType, inputs, outputs, attributes, o.domain);
    return outputs[0]!;
  }

  /** A reshaped view. A chain of reshapes collapses into its last, since each one costs time in every run. */
  reshape(value: string, target: string): string {
    const source = this.#reshaped.get(value) ?? value;
    const name = this.node("Reshape", [source, target], { allowzero: 1 });
    this.#reshaped.set(name, source);
    return name;
  }

  /** Splits a value along an axis with one Split node; `sizes` is an int64 vector of `count` elements. */
  parts(value: string, axis: number, sizes: string, count: number): readonly string[] {
    const key = `${value} ${axis} ${sizes}`;
    let names = this.#parts.get(key);
    if (names === undefined) {
      names = this.#freshNames("Part", count);
      this.#add("Split", [value, sizes], names, { axis });
      this.#parts.set(key, names);
    }
    return names;
  }

  constant(data: TensorData): string {
    const bytes = new Uint8Array(data.data.buffer, data.data.byteOffset, data.data.byteLength);
    return this.#initializer(onnxType[data.dtype], data.shape, bytes);
  }

  /** int64 vector, for shapes, axes and starts. */
  ints(values: readonly number[]): string {
    return this.#initializer(
      onnxType.int64,
      [values.length],
      new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer),
    );
  }

  /** int64 vector of a shape; symbolic sizes are read at run time from inputs or earlier values. */
  shape(shape: readonly Dim[]): string {
    if (shape.every((dim) => typeof dim === "number")) return this.ints(shape);
    const key = shape.join();
    let known = this.#shapes.get(key);
    if (known === undefined) {
      const values = shape.map((dim) => (typeof dim === "number" ? this.ints([dim]) : this.size(dim)));
      known = this.node("Concat", values, { axis: 0 });
      this.#shapes.set(key, known);
    }
    return known;
  }

  /** Like `shape`, but one unknown symbolic size may be inferred by ONNX (-1). */
  reshapeTarget(shape: readonly Dim[]): string {
    const named = shape.filter((dim) => typeof dim === "string");
    const inferred =
      named.length === 1 && !shape.includes(0) ? named[0] : named.find((dim) => !this.#sizeSources.has(dim));
    return this.shape(inferred === undefined ? shape : shape.map((dim) => (dim === inferred ? -1 : dim)));
  }

  /** int64 vector of length 1 with the run-time value of a symbolic size. */
  size(name: string): string {
    const known = this.#sizeValues.get(name);
    if (known !== undefined) return known;
    const source = this.#sizeSources.get(name);
    if (source === undefined) throw new Error(`internal: no program input has the size "${name}"`);
    const value = this.node("Shape", [source.value], { start: source.axis, end: source.axis + 1 });
    this.#sizeValues.set(name, value);
    return value;
  }

  cast(value: string, to: DType | "int64"): string {
    return this.node("Cast", [value], { to: onnxType[to] });
  }

  /** The serialised ModelProto. */
  finish(): Uint8Array {
    const graph = new MessageWriter();
    const finalName = (value: string) => this.#renamed.get(value) ?? value;
    for (const node of this.usedNodes()) graph.message(1, nodeProto(node, finalName));
    graph.string(2, "viva");
    for (const initializer of this.#initializers.values()) graph.message(5, initializer);
    for (const value of this.#inputs) graph.message(11, value);
    for (const value of this.#outputs) graph.message(12, value);
    const opset = (domain: string, version: number) => new MessageWriter().string(1, domain).varint(2, version);
    return new MessageWriter()
      .varint(1, IR_VERSION)
      .string(2, "viva")
      .message(7, graph)
      .message(8, opset("", OPSET))
      .message(8, opset("com.microsoft", 1))
      .finish();
  }

  #add(
    opType: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    domain = "",
  ): void {
    this.#nodes.push({ opType, inputs, outputs, attributes, domain });
  }

  #freshNames(hint: string, count: number): string[] {
    return Array.from({ length: count }, () => `${hint}_${this.#counter++}`);
  }

  /** The nodes that the outputs depend on. */
  usedNodes(): readonly OnnxNode[] {
    const used = new Set(this.#results);
    const reversed = this.#nodes.toReversed().filter(({ inputs, outputs }) => {
      if (!outputs.some((name) => used.has(name))) return false;
      for (const name of inputs) used.add(name);
      return true;
    });
    return reversed.toReversed();
  }

  #initializer(type: number, shape: readonly number[], bytes: Uint8Array): string {
    const key = bytes.byteLength <= 1024 ? `${type}:${shape.join(",")}:${Buffer.from(bytes).toString("base64")}` : null;
    const name = key === null ? this.#freshNames("constant", 1)[0]! : `constant_${key}`;
    if (!this.#initializers.has(name)) {
      const tensor = new MessageWriter().packedInts(1, shape).varint(2, type).string(8, name);
      if (bytes.byteLength < EXTERNAL_BYTES) tensor.bytes(9, bytes);
      else {
        const entry = (key: string, value: string) => new MessageWriter().string(1, key).string(2, value);
        tensor
          .message(13, entry("location", name))
          .message(13, entry("length", String(bytes.byteLength)))
          .varint(14, 1);
        this.external.push({ path: name, data: bytes });
      }
      this.#initializers.set(name, tensor);
    }
    return name;
  }
}

export interface OnnxNode {
  readonly opType: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
  readonly domain: string;
}

/** NodeProto: inputs 1, outputs 2, name 3, operator 4, attributes 5, domain 7. */
function nodeProto({ opType, inputs, outputs, attributes, domain }: OnnxNode, finalName: (value: string) => string) {
  const node = new MessageWriter();
  for (const name of inputs) node.string(1, finalName(name));
  for (const name of outputs) node.string(2, finalName(name));
  node.string(3, outputs[0]!);
  node.string(4, opType);
  for (const [name, value] of Object.entries(attributes)) node.message(5, attributeProto(name, value));
  if (domain !== "") node.string(7, domain);
  return node;
}

function valueInfo(name: string, spec: TensorSpec): MessageWriter {
  const shape = new MessageWriter();
  for (const dim of spec.shape) {
    const size = new MessageWriter();
    shape.message(1, typeof dim === "number" ? size.varint(1, dim) : size.string(2, dim));
  }
  const tensor = new MessageWriter().varint(1, onnxType[spec.dtype]).message(2, shape);
  return new MessageWriter().string(1, name).message(2, new MessageWriter().message(1, tensor));
}

/** AttributeProto: name 1, type 20, and i 3 / f 2 / s 4 / ints 8. */
function attributeProto(name: string, value: OnnxAttribute): MessageWriter {
  const attribute = new MessageWriter().string(1, name);
  if (typeof value === "number") return attribute.varint(3, value).varint(20, 2);
  if (typeof value === "string") return attribute.string(4, value).varint(20, 3);
  if ("float" in value) return attribute.float(2, value.float).varint(20, 1);
  for (const item of value) attribute.varint(8, item);
  return attribute.varint(20, 7);
}
