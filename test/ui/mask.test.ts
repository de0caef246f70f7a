import { expect, test } from "vitest";
import { unpackMask } from "../../ui/parts/mask.ts";

/** An ellipse with holes, encoded by pycocotools 2.0.11. */
const text =
  "b87m0KTOO03i09MDZO70Le01[O3g06L5NF_OH00020N`06BLN4?5AL?NA40I?;AH>a00]OB41JO2=MC508=CC200020N00=OC20;=3CB=OC`0=JCK>1BJ0002=5CI0001=7CH0N04=7DM<3EJ=4AM0M=1C20J06>JB60K0003?LA604?:0_OA40I04`08BE`0`01O1A\\O80Ge02]O0N2f0LZO80Hh07XOJk05f7";

test("masks come out as pycocotools has them, of text and of numbers", () => {
  const pixels = unpackMask({ size: [37, 53], counts: text })!;
  const ones = [...pixels.keys()].filter((i) => pixels[i] === 1);
  expect(ones).toHaveLength(660);
  expect(ones.reduce((sum, i) => sum + (i % 1009), 0)).toBe(335_344);
  const small = [0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0];
  expect([...unpackMask({ size: [3, 5], counts: "723OO" })!]).toEqual(small);
  expect([...unpackMask({ size: [3, 5], counts: [7, 2, 3, 1, 2] })!]).toEqual(small);
});

test("a mask that is larger or other than it says is none", () => {
  for (const counts of ["~~~~~~", [16], [1, -1], [1, Number.NaN]])
    expect(unpackMask({ size: [3, 5], counts })).toBe(null);
  expect(unpackMask({ size: [1e9, 1e9], counts: [] })).toBe(null);
});
