/** The server of the pages that watch runs. */
export { accessFor } from "./access.ts";
export { createUiApp, type UiOptions } from "./app.ts";
export { writeBundle } from "./bundle.ts";
export { type MarkedPair, markedPairs } from "./exports.ts";
export { realRoots } from "./find-runs.ts";
export { openLibrary } from "./library.ts";
export { readPages } from "./pages.ts";
export { startUi, type UiServer } from "./server.ts";
