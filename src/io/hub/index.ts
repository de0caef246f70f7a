/** The Hugging Face Hub: repositories downloaded into the cache that Python's tools share. */
export { snapshotOrigin } from "./cache.ts";
export { datasetPlan, modelPlan } from "./plan.ts";
export { openRepositoryId, parseHubName, parseRepositoryId, type Repository } from "./repository.ts";
export { type Environment, type HubSettings, hubCache, hubSettings } from "./settings.ts";
export { openSnapshot, type Snapshot, type SnapshotOptions } from "./snapshot.ts";
