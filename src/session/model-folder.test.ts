import { expect, test } from "vitest";
import { nameOfModel } from "./model-folder.ts";

test("a model goes by its id on the Hub, or by the last part of its path", () => {
  expect(nameOfModel("hf:Qwen/Qwen2.5-VL-3B-Instruct")).toBe("Qwen/Qwen2.5-VL-3B-Instruct");
  expect(nameOfModel("hf:org/name@v1")).toBe("org/name");
  expect(nameOfModel("runs/slake")).toBe("slake");
});
