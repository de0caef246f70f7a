import { defineConfig } from "vitest/config";

/** What takes minutes: npm run check:slow. */
export default defineConfig({
  test: {
    globalSetup: "test/build.ts",
    include: ["test/slow/**/*.test.ts"],
    testTimeout: 30 * 60_000,
    hookTimeout: 15 * 60_000,
    pool: "forks",
    maxWorkers: 1,
  },
});
