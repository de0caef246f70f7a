import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

/** Files that mock modules, which others have loaded: each has a process of its own. */
const alone = ["src/session/engine-table.test.ts", "test/cli/serve-engine.test.ts"];

const elsewhere = [
  ...["test/package/**", "test/browser/**", "test/real/**"], // with configurations of their own
  ...(process.env["VIVA_SLOW"] ? [] : ["test/slow/**"]),
];

const common = { testTimeout: 60_000, hookTimeout: 60_000, pool: "forks" } as const;
/** Files that share a process, which loads each module once (decision 0092). */
const shared = { ...common, isolate: false, setupFiles: "test/environment.ts" } as const;
const built = {
  globalSetup: "test/build.ts",
  alias: [{ find: /^.*\/start-worker\.ts$/, replacement: resolve(import.meta.dirname, "test/start-worker.ts") }],
};

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      { test: { ...shared, name: "src", include: ["src/**/*.test.ts"], exclude: alone } },
      {
        test: { ...shared, ...built, name: "test", include: ["test/**/*.test.ts"], exclude: [...elsewhere, ...alone] },
      },
      { test: { ...common, ...built, name: "alone", include: alone } },
    ],
  },
});
