/** The entry in the table of engines for servers of the Tinker API. */
import type { EngineBackend } from "../backend.ts";
import { inspectServer } from "./inspect.ts";
import { openTinkerEngine } from "./tinker-engine.ts";

export const tinker: EngineBackend = {
  remote: true,
  open: openTinkerEngine,
  async inspect(options, decoder, asked) {
    const { inspection, session } = await inspectServer(options, decoder, asked);
    await session.close();
    return inspection;
  },
};
