/** Batched matrix multiplication with either operand transposed. */
import { sizeOf } from "../../core/tensor-data.ts";
import { floatLike } from "../interpret.ts";
import { type Dim, formatShape, type TensorSpec } from "../spec.ts";
import { apply, type Op, type Tensor } from "../tensor.ts";
import { broadcastShapes, walkBroadcast } from "./broadcast.ts";
import { requireFloat } from "./elementwise.ts";
import { sumTo } from "./reduce.ts";
import { transpose, transposeOp } from "./shape.ts";

export interface MatmulAttrs {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Same result, in a form that ONNX Runtime does not fuse with a transpose of the output. */
  readonly unmerged?: boolean;
}

interface MatrixSizes {
  readonly m: Dim;
  readonly n: Dim;
  readonly k: Dim;
}

export const matmulOp: Op<MatmulAttrs> = {
  name: "matmul",
  infer: ([a, b], attrs) => {
    if (a!.dtype !== b!.dtype) throw new Error(`matmul: dtypes must match, got ${a!.dtype} and ${b!.dtype}`);
    requireFloat("matmul", a!.dtype);
    const { m, n } = matrixSizes(a!, b!, attrs);
    const batch = broadcastShapes("matmul", [a!.shape.slice(0, -2), b!.shape.slice(0, -2)]);
    return { dtype: a!.dtype, shape: [...batch, m, n] };
  },
  evaluate: ([a, b], attrs) => {
    const { m, n, k } = matrixSizes(a!, b!, attrs) as { m: number; n: number; k: number };
    const batchA = a!.shape.slice(0, -2);
    const batchB = b!.shape.slice(0, -2);
    const batch = broadcastShapes("matmul", [batchA, batchB]);
    const data = floatLike([a!, b!], sizeOf(batch) * m * n);
    walkBroadcast(batch, [batchA, batchB], (out, [i, j]) => {
      for (let row = 0; row < m; row++) {
        for (let column = 0; column < n; column++) {
          let total = 0;
          for (let x = 0; x < k; x++) {
            const left = attrs.transposeA ? x * m + row : row * k + x;
            const right = attrs.transposeB ? column * k + x : x * n + column;
            total += a!.data[i! * m * k + left]! * b!.data[j! * k * n + right]!;
          }
          data[(out * m + row) * n + column] = total;
        }
      }
    });
    return { dtype: a!.dtype, shape: [...batch, m, n], data };
  },
  vjp: (y, g) => {
    const [a, b] = y.inputs as readonly [Tensor, Tensor];
    const { transposeA: ta, transposeB: tb } = y.attrs;
    const da = ta ? matmul(b, g, { transposeA: tb, transposeB: true }) : matmul(g, b, { transposeB: !tb });
    const db = tb ? matmul(g, a, { transposeA: true, transposeB: ta }) : matmul(a, g, { transposeA: !ta });
    return [sumTo(da, a), sumTo(db, b)];
  },
  lower: (y, inputs, onnx) => {
    const { transposeA, transposeB, unmerged = false } = y.attrs;
    if (!transposeA && !transposeB && !unmerged) return onnx.node("MatMul", inputs);
    if (y.inputs.every((t) => t.shape.length === 2) && !unmerged) {
      return onnx.node("Gemm", inputs, { transA: Number(transposeA), transB: Number(transposeB) });
    }
    const attributes = { transA: Number(transposeA), transB: Number(transposeB) };
    return onnx.node("FusedMatMul", inputs, attributes, { domain: "com.microsoft" });
  },
};

/**
 * x Wᵀ computed as (W xᵀ)ᵀ: ONNX Runtime packs the right operand, and an x of few rows is far smaller than W. Other
 * matmuls are returned unchanged.
 */
export function withSmallBatch(y: Tensor<MatmulAttrs>): Tensor {
  if (!fitsSmallBatch(y)) return y;
  const [x, weight] = y.inputs as readonly [Tensor, Tensor];
  const columns = x.op === transposeOp ? x.inputs[0]! : null;
  const attrs = { transposeA: false, transposeB: columns === null, unmerged: true };
  return transpose(apply(matmulOp, [weight, columns ?? x], attrs), [1, 0]);
}

/** Whether this is x Wᵀ for a matrix x and a matrix W. */
export function fitsSmallBatch({ inputs, attrs }: Tensor<MatmulAttrs>): boolean {
  return attrs.transposeB && !attrs.transposeA && inputs.every((t) => t.shape.length === 2);
}

function matrixSizes(a: TensorSpec, b: TensorSpec, { transposeA, transposeB }: MatmulAttrs): MatrixSizes {
  const [rowsA, columnsA] = a.shape.slice(-2);
  const [rowsB, columnsB] = b.shape.slice(-2);
  const inner = transposeA ? rowsA : columnsA;
  if (a.shape.length < 2 || b.shape.length < 2 || inner !== (transposeB ? columnsB : rowsB)) {
    const marks = `${formatShape(a.shape)}${transposeA ? "ᵀ" : ""} @ ${formatShape(b.shape)}${transposeB ? "ᵀ" : ""}`;
    throw new Error(`matmul: inner sizes must match, got ${marks}`);
  }
  return { m: (transposeA ? columnsA : rowsA)!, n: (transposeB ? rowsB : columnsB)!, k: inner! };
}

/** a @ b over the last two axes, the others broadcast; `transposeB` reads b as its transpose. */
export function matmul(a: Tensor, b: Tensor, o: Partial<Pick<MatmulAttrs, "transposeA" | "transposeB">> = {}): Tensor {
  return apply(matmulOp, [a, b], { transposeA: o.transposeA ?? false, transposeB: o.transposeB ?? false });
}
