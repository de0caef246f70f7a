/** The entry in the table of engines for servers of the Tinker API; its client is loaded for runs that use it. */
import type { EngineBackend } from "../backend.ts";

export const tinker: EngineBackend = {
  remote: true,
  async open(options, decoder, asked) {
    const { openTinkerEngine } = await import("./tinker-engine.ts");
    return openTinkerEngine(options, decoder, asked);
  },
  async inspect(...asked) {
    const { inspectServer } = await import("./inspect.ts");
    const { inspection, session } = await inspectServer(...asked);
    await session.close();
    return inspection;
  },
};
