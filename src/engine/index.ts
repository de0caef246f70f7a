/** The engines by the names that recipes give them in `engine.backend`. */
import type { EngineBackend } from "./backend.ts";
import { local } from "./local/backend.ts";

const backends = { local } satisfies Readonly<Record<string, EngineBackend>>;

export type EngineName = keyof typeof backends;

export const engineNames = Object.keys(backends) as [EngineName, ...EngineName[]];

/** What lies above asks for this table and the interface `TrainingEngine` alone. */
export const engines: Readonly<Record<EngineName, EngineBackend>> = backends;
