import { expect, test, vi } from "vitest";
import { goldenCase } from "../../test/parity/golden.ts";
import { UserError } from "../core/errors.ts";
import type { Interruption } from "./arguments.ts";
import { serveCommand } from "./serve.ts";

const close = vi.hoisted(() => vi.fn(async () => {}));
vi.mock("../engine/index.ts", () => ({
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
