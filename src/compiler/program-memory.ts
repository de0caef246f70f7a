/** The memory a program needs, computed from its graph and run-time sizes alone, without running it. */
import { concatDynamicOp } from "./ops/concat-dynamic.ts";
import { reshapeOp } from "./ops/shape.ts";
import { constantOp, inputOp, type Program, type Sizes, type Tensor, topologicalOrder } from "./tensor.ts";

export interface ProgramMemory {
  /** Peak bytes of live results, including outputs, excluding feeds. */
  readonly peak: number;
  /** Bytes of each output. */
  readonly outputs: Readonly<Record<string, number>>;
  /** All symbolic sizes, including those the graph derives from its inputs'. */
  readonly sizes: Sizes;
}

/** Bytes per element. */
const BYTES = { float32: 4, float64: 8, int32: 4, uint8: 1, bool: 1 } as const;

/** A result in memory: its remaining readers, and its bytes (0 for feeds). */
interface Buffer {
  readers: number;
  readonly bytes: number;
}

/**
 * Follows the nodes in evaluation order: a result is freed after its last reader, common subexpressions run once, a
 * reshape does not copy, and a result reuses the buffer of an input of its size that is freed with it. Every symbolic
 * size of an input must be given.
 */
export function programMemory(program: Program, inputs: Sizes): ProgramMemory {
  const sizes: Record<string, number> = { ...inputs };
  const buffers = new Map<Tensor, Buffer>();
  const runs = withoutDuplicates(topologicalOrder(Object.values(program.outputs)), buffers, sizes);
  for (const t of Object.values(program.outputs)) buffers.get(t)!.readers++;
  let alive = 0;
  let peak = 0;
  for (const node of runs) {
    const own = buffers.get(node)!;
    const read = [...new Set(node.inputs.map((t) => buffers.get(t)!))];
    for (const buffer of read) buffer.readers--;
    const dying = read.filter((buffer) => buffer.readers === 0);
    const inPlace = dying.some(({ bytes }) => bytes === own.bytes) ? own.bytes : 0;
    peak = Math.max(peak, alive + own.bytes - inPlace);
    alive += own.bytes - dying.reduce((sum, { bytes }) => sum + bytes, 0);
  }
  const outputs = Object.entries(program.outputs).map(([name, t]) => [name, bytesOf(t, sizes)] as const);
  return { peak, outputs: Object.fromEntries(outputs), sizes };
}

/** Assigns every node its buffer, counts each buffer's readers, and returns the nodes that run. */
function withoutDuplicates(
  order: readonly Tensor[],
  buffers: Map<Tensor, Buffer>,
  sizes: Record<string, number>,
): Tensor[] {
  const ids = new Map<Buffer, number>();
  const known = new Map<string, Buffer>();
  const runs: Tensor[] = [];
  for (const node of order) {
    inferSize(node, sizes);
    const read = node.inputs.map((t) => buffers.get(t)!);
    const fed = node.op === inputOp || node.op === constantOp;
    const key = `${node.op.name}(${read.map((buffer) => ids.get(buffer))}) ${node.shape} ${JSON.stringify(node.attrs)}`;
    const same = node.op === reshapeOp ? read[0] : fed ? undefined : known.get(key);
    const buffer = same ?? { readers: 0, bytes: fed ? 0 : bytesOf(node, sizes) };
    buffers.set(node, buffer);
    if (same !== undefined) continue;
    ids.set(buffer, ids.size);
    if (fed) continue;
    known.set(key, buffer);
    for (const source of new Set(read)) source.readers++;
    runs.push(node);
  }
  return runs;
}

/**
 * A reshape can introduce a size that follows from the number of elements; a concatenation names the sum of its parts'
 * sizes.
 */
function inferSize({ op, shape, inputs, attrs }: Tensor, sizes: Record<string, number>): void {
  const unknown = shape.filter((dim) => typeof dim === "string" && sizes[dim] === undefined) as string[];
  if (unknown.length === 0) return;
  const dims = (t: { readonly shape: Tensor["shape"] }) =>
    t.shape.map((dim) => (typeof dim === "number" ? dim : sizes[dim]!));
  if (op === concatDynamicOp) {
    sizes[unknown[0]!] = inputs.reduce((sum, t) => sum + dims(t)[attrs.axis]!, 0);
  } else if (op === reshapeOp && unknown.length === 1) {
    const rest = dims({ shape: shape.filter((dim) => dim !== unknown[0]) }).reduce((a, b) => a * b, 1);
    sizes[unknown[0]!] = dims(inputs[0]!).reduce((a, b) => a * b, 1) / rest;
  } else throw new Error(`internal: the size "${unknown[0]}" of ${op.name} is not known`);
}

function bytesOf({ shape, dtype }: Tensor, sizes: Sizes): number {
  return shape.reduce<number>((n, dim) => n * (typeof dim === "number" ? dim : sizes[dim]!), BYTES[dtype]);
}
