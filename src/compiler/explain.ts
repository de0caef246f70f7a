/**
 * Explains as text what each rewrite and the lowering do to a program. Node numbers are those of the program's listing
 * (`formatProgram`) and do not change across rewrites; added nodes are numbered after the existing ones.
 */
import {
  formatAttributes,
  formatCall,
  formatInput,
  formatNode,
  formatOutput,
  formatSpec,
  type NodeNames,
  nameNodes,
  numberedNodes,
  ownName,
} from "./format.ts";
import { explainLowering } from "./onnx/explain-lowering.ts";
import { constantOp, type Program, type Tensor, topologicalOrder } from "./tensor.ts";

/** Rewrites by name, in the order in which they are applied. */
export type Rewrites = Readonly<Record<string, (program: Program) => Program>>;

/**
 * For each rewrite, and then for lowering the result: how many nodes were removed, added and rewired, and which. "~"
 * marks a node whose inputs alone changed.
 */
export function explainRewrites(program: Program, rewrites: Rewrites): string {
  const sections: string[] = [];
  let before = { program, names: nameNodes(program), next: numberedNodes(program).length };
  for (const [title, rewrite] of Object.entries(rewrites)) {
    const rewritten = rewrite(before.program);
    const { names, next } = renameNodes(before, rewritten);
    const after = { program: rewritten, names, next };
    sections.push(explainChange(title, before, after));
    before = after;
  }
  return [...sections, explainLowering(before.program, before.names)].join("\n");
}

interface Listing {
  readonly program: Program;
  readonly names: NodeNames;
  /** The next free number. */
  readonly next: number;
}

function explainChange(title: string, before: Listing, after: Listing): string {
  const named = ({ program, names }: Listing) => new Map(numberedNodes(program).map((t) => [names.get(t)!, t]));
  const [old, now] = [named(before), named(after)];
  const removed = [...old].flatMap(([name, t]) => (now.has(name) ? [] : [`- ${formatNode(t, before.names)}`]));
  const left: string[] = [];
  let changed = 0;
  for (const [name, t] of now) {
    const earlier = old.get(name);
    const was = earlier === undefined ? null : formatCall(earlier, before.names);
    if (was === null) left.push(`+ ${formatNode(t, after.names)}`);
    else if (was !== formatCall(t, after.names)) {
      changed++;
      left.push(`~ ${formatNode(t, after.names)}  // was ${was}`);
    }
  }
  const lines = [...inputChanges(before, after), ...removed, ...left, ...outputChanges(before, after)];
  if (lines.length === 0) return `${title}: nothing`;
  const counts = `${removed.length} removed, ${left.length - changed} added, ${changed} changed`;
  return [`${title}: ${old.size} -> ${now.size} nodes: ${counts}`, ...lines.map((line) => `  ${line}`)].join("\n");
}

/** Inputs that were removed and added. */
function inputChanges(before: Listing, after: Listing): string[] {
  const lines = (from: Program, to: Program, mark: string) =>
    Object.keys(from.inputs).flatMap((name) =>
      to.inputs[name] === undefined ? [`${mark} input ${formatInput(from, name)}`] : [],
    );
  return [...lines(before.program, after.program, "-"), ...lines(after.program, before.program, "+")];
}

function outputChanges(before: Listing, after: Listing): string[] {
  const lines = ({ program, names }: Listing) =>
    Object.fromEntries(Object.keys(program.outputs).map((name) => [name, formatOutput(program, name, names)]));
  const [old, now] = [lines(before), lines(after)];
  return [
    ...Object.entries(old).flatMap(([name, line]) => (now[name] === undefined ? [`- output ${line}`] : [])),
    ...Object.entries(now).flatMap(([name, line]) => {
      if (old[name] === undefined) return [`+ output ${line}`];
      const was = old[name].slice(`${name} = `.length);
      return old[name] === line ? [] : [`~ output ${line}  // was ${was}`];
    }),
  ];
}

/** Names for a rewritten program: a node that existed before keeps its number, even if it was rebuilt. */
function renameNodes(before: Listing, program: Program): { readonly names: NodeNames; readonly next: number } {
  const earlier = new Set(numberedNodes(before.program));
  const names = new Map<Tensor, string>();
  const left: Tensor[] = [];
  const order = topologicalOrder(Object.values(program.outputs));
  const taken = new Set(order.filter((node) => earlier.has(node)));
  const byCall = new Map([...earlier].filter((t) => !taken.has(t)).map((t) => [callOf(t, before.names), t]));
  for (const node of order) {
    const own = ownName(program, node) ?? (earlier.has(node) ? before.names.get(node)! : null);
    const known = own !== null || !node.inputs.every((t) => names.has(t)) ? undefined : byCall.get(callOf(node, names));
    if (own !== null) names.set(node, own);
    else if (known === undefined || taken.has(known)) left.push(node);
    else {
      names.set(node, before.names.get(known)!);
      taken.add(known);
    }
  }
  const rest = [...earlier].filter((t) => !taken.has(t));
  for (const [was, node] of longestCommon(rest, left)) names.set(node, before.names.get(was)!);
  let { next } = before;
  for (const node of left) if (!names.has(node)) names.set(node, `%${next++}`);
  return { names, next };
}

/** Key under which equal nodes match; a constant equals only itself. */
function callOf(node: Tensor, names: NodeNames): unknown {
  return node.op === constantOp ? node : `${formatCall(node, names)}${signatureOf(node)}`;
}

/** A node without its inputs. */
function signatureOf(node: Tensor): unknown {
  return node.op === constantOp ? node : `${node.op.name}${formatAttributes(node)} : ${formatSpec(node)}`;
}

/** Longest common subsequence of nodes, as pairs that are equal except for their inputs. */
function longestCommon(a: readonly Tensor[], b: readonly Tensor[]): [Tensor, Tensor][] {
  const [left, right] = [a.map(signatureOf), b.map(signatureOf)];
  const width = b.length + 1;
  const best = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const at = i * width + j;
      best[at] = left[i] === right[j] ? best[at + width + 1]! + 1 : Math.max(best[at + width]!, best[at + 1]!);
    }
  }
  const pairs: [Tensor, Tensor][] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const at = i * width + j;
    if (left[i] === right[j]) pairs.push([a[i++]!, b[j++]!]);
    else if (best[at + width]! >= best[at + 1]!) i++;
    else j++;
  }
  return pairs;
}
