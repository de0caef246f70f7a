/** Every op's conformance cases; an op without any is a compile error. */
import type { ops } from "../../../src/compiler/ops/index.ts";
import type { Case } from "./case.ts";
import { binaryCases, unaryCases } from "./elementwise-cases.ts";
import { fusedCases } from "./fused-cases.ts";
import { layoutCases } from "./layout-cases.ts";
import { matmulCases } from "./matmul-cases.ts";
import { quantizedCases } from "./quantized-cases.ts";
import { reduceCases } from "./reduce-cases.ts";
import { selectionCases } from "./selection-cases.ts";
import { shapeCases } from "./shape-cases.ts";

export const cases: Record<keyof typeof ops, readonly Case[]> = {
  ...unaryCases,
  ...binaryCases,
  ...selectionCases,
  ...reduceCases,
  ...shapeCases,
  ...matmulCases,
  ...layoutCases,
  ...quantizedCases,
  ...fusedCases,
};
