import { expect, test } from "vitest";
import { UserError } from "../../core/errors.ts";
import { takeDevice } from "./one-per-device.ts";

test("one engine at a time on a device that keeps arrays, any number on the others", () => {
  const end = takeDevice("webgpu");
  expect(() => takeDevice("webgpu")).toThrow(UserError);
  expect(() => takeDevice("webgpu")).toThrow("the device webgpu computes for another model of this process");
  end();
  takeDevice("webgpu")();
  for (const device of ["cpu", "cpu", "cuda", "cuda"] as const) takeDevice(device);
});
