import { expect, it } from "vitest";
import type { Example, RawImage } from "../core/records.ts";
import { environmentSchema, openEnvironment } from "./index.ts";
import { madeOf, remade } from "./remake.ts";

const whole = (size: number): RawImage => {
  return { width: size, height: size, channels: 1, data: Uint8Array.from({ length: size * size }, (_, i) => i % 251) };
};
const ref = { path: "phantom:a/1", pixels: whole(50), original: whole(200) };
const example: Example = {
  ...{
    id: "a",
    subjectId: "a",
    question: "?",
    images: [ref],
    answer: "yes",
    answerType: "closed",
    choices: [],
    meta: {},
  },
};

it("makes what tools made again from its name", async () => {
  const environment = await openEnvironment(environmentSchema.parse("viewer_tools"));
  for (const call of [
    { name: "crop", arguments: { box: [5, 6, 30, 20] } },
    { name: "window", arguments: { level: 100, width: 50.5 } },
  ]) {
    const { image } = await environment.step(example, call);
    expect(madeOf(image!.path)?.base).toBe(ref.path);
    expect(await remade(image!.path, ref)).toEqual(image!.pixels);
  }
});

it("makes nothing of other names, or of boxes that do not fit", async () => {
  expect(madeOf("scan.dcm#frame=12")).toBeNull();
  for (const name of ["a#crop=0,0,201,10", "a#crop=5,5,5,9", "a#crop=1,2,3", "a#crop=0.5,0,9,9", "a#window=3"]) {
    expect(await remade(name, ref)).toBeNull();
  }
});
