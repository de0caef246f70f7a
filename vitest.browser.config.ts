import { defineConfig } from "vitest/config";

/** The pages of viva ui in a headless Chromium: npm run test:browser; skipped with a reason where there is none. */
export default defineConfig({
  test: {
    include: ["test/browser/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: "forks",
    maxWorkers: 1,
  },
});
