/** The local engine's entry in the table of engines. */
import type { EngineBackend } from "../backend.ts";
import { openLocalEngine } from "./local-engine.ts";
import { planMemory } from "./memory-plan.ts";

export const local: EngineBackend = { open: openLocalEngine, planMemory };
