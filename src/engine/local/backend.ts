/** The local engine as an entry of the table of engines. */
import type { EngineBackend } from "../backend.ts";
import { keepsArrays } from "./arrays/index.ts";
import { cardBytes } from "./cards.ts";
import { openLocalEngine } from "./local-engine.ts";
import { planMemory } from "./memory-plan.ts";

export const local: EngineBackend = {
  open: openLocalEngine,
  planMemory,
  deviceBytes: async (device) => (keepsArrays(device) ? cardBytes() : null),
};
