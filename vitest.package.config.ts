import { defineConfig } from "vitest/config";

/** The packed package, installed from the registry: npm run test:package. */
export default defineConfig({
  test: {
    include: ["test/package/**/*.test.ts"],
    testTimeout: 10 * 60_000,
    hookTimeout: 10 * 60_000,
  },
});
