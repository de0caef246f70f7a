import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globalSetup: "test/build.ts",
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: [
      ...["test/package/**", "test/browser/**", "test/real/**"], // with configurations of their own
      ...(process.env["VIVA_SLOW"] ? [] : ["test/slow/**"]),
    ],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    maxWorkers: 2,
  },
});
