import { expect, test, vi } from "vitest";
import type { Interruption } from "../../src/cli/arguments.ts";
import { serveCommand } from "../../src/cli/serve.ts";
import { UserError } from "../../src/core/errors.ts";
import { goldenCase } from "../parity/golden.ts";

const close = vi.hoisted(() => vi.fn(async () => {}));
vi.mock("../../src/engine/index.ts", () => ({
  engines: { local: { open: async () => ({ close }) } },
  engineNames: ["local"],
}));

test("an engine that only answers whole batches is not served, and is closed", async () => {
  const { signal } = new AbortController();
  const interruption: Interruption = { signal, during: (work) => work(signal), stop: () => false };
  const command = serveCommand(interruption, "0").exitOverride();
  const served = command.parseAsync([goldenCase("grouped_tied").checkpoint], { from: "user" });
  await expect(served).rejects.toThrow(
    new UserError("serve: this engine answers whole batches alone, so it cannot be served"),
  );
  expect(close).toHaveBeenCalledOnce();
});
