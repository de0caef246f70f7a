import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { describeWithPython, pythonEnvironment } from "./python.ts";

await describeWithPython(
  "a Python environment for tests",
  { name: "six", requirements: ["six==1.16.0"] },
  ({ python }) => {
    it("holds what was asked for", () => {
      expect(execFileSync(python, ["-c", "import six; print(six.__version__)"]).toString().trim()).toBe("1.16.0");
    });
  },
);

it("gives a reason where a requirement does not exist", async () => {
  const reason = await pythonEnvironment({ name: "none", requirements: ["six==0.0.0.1"] });
  expect(reason).toMatch(/^none could not be installed: .*six/);
});
