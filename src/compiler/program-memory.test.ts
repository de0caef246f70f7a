import { expect, test } from "vitest";
import { add, concatDynamic, exp, matmul, mul, reshape } from "./ops/index.ts";
import { programMemory } from "./program-memory.ts";
import { input } from "./tensor.ts";

const x = input("x", "float32", ["n", 4]);
const w = input("w", "float32", [8, 4]);
const inputs = { x, w };

test("feeds do not count, a result is freed after its last reader", () => {
  const y = matmul(exp(x), w, { transposeB: true }); // exp: 4n elements, then 8n more
  expect(programMemory({ inputs, outputs: { y } }, { n: 10 })).toMatchObject({ peak: 4 * 120, outputs: { y: 320 } });
  const longer = exp(exp(exp(x))); // each reuses its predecessor's buffer
  expect(programMemory({ inputs, outputs: { longer } }, { n: 10 }).peak).toBe(160);
});

test("outputs live to the end, common subexpressions run once, reshapes do not copy", () => {
  const [a, b] = [exp(x), exp(x)];
  const both = { a, sum: add(mul(a, a), mul(b, b)) };
  // exp, its square, and their sum in the square's buffer.
  expect(programMemory({ inputs, outputs: both }, { n: 10 }).peak).toBe(2 * 160);
  const flat = reshape(exp(x), ["m"]);
  expect(programMemory({ inputs, outputs: { flat } }, { n: 10 })).toMatchObject({ peak: 160, outputs: { flat: 160 } });
});

test("symbolic sizes of reshapes and concatenations are inferred, others must be given", () => {
  const y = concatDynamic([reshape(x, ["m", 2]), reshape(x, ["m", 2])], 0, "both");
  expect(programMemory({ inputs, outputs: { y } }, { n: 10 }).sizes).toEqual({ n: 10, m: 20, both: 40 });
  expect(() => programMemory({ inputs, outputs: { y: exp(x) } }, {})).toThrow(
    'internal: the size "n" of input is not known',
  );
});
