import { defineConfig } from "vitest/config";

/** viva against real programs from PyPI, which the tests install themselves (test/real/python.ts): npm run test:real. */
export default defineConfig({
  test: {
    globalSetup: "test/build.ts",
    include: ["test/real/**/*.test.ts"],
    testTimeout: 5 * 60_000,
    hookTimeout: 10 * 60_000,
    pool: "forks",
    maxWorkers: 1,
  },
});
