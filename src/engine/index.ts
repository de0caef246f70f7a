/** The engines by the names that recipes use in `engine.backend`. */
import type { EngineBackend } from "./backend.ts";
import { local } from "./local/backend.ts";
import { tinker } from "./tinker/backend.ts";

const backends = { local, tinker } satisfies Readonly<Record<string, EngineBackend>>;

export type EngineName = keyof typeof backends;

export const engineNames = Object.keys(backends) as [EngineName, ...EngineName[]];

/** Higher layers use only this table and the interface `TrainingEngine`. */
export const engines: Readonly<Record<EngineName, EngineBackend>> = backends;
