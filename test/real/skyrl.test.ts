/** The suite of all engines on SkyRL 0.4.0 (JAX) in one process. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { describeEngine } from "../conformance/engines/suite.ts";
import { describeWithPython } from "./python.ts";
import { onSkyrl, SKYRL, type SkyrlServer, startSkyrl, writeQwen3 } from "./skyrl.ts";

let server: SkyrlServer | null = null;
const contender = await onSkyrl(() => server!.url);

await describeWithPython("SkyRL 0.4.0", SKYRL, (python) => {
  const folder = mkdtempSync(join(tmpdir(), "viva-skyrl-"));
  beforeAll(async () => {
    server = await startSkyrl(python, writeQwen3(join(folder, "model")), join(folder, "server"));
  });
  afterAll(async () => {
    await server?.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  describeEngine("its JAX backend in one process", contender);
});
