import { defineConfig } from "vitest/config";

/** Layers whose tests only call functions: their files share a process, which loads each module once (decision 0089). */
const pure = ["algorithms", "answers", "compiler", "core", "recipes", "rewards"].map(
  (layer) => `src/${layer}/**/*.test.ts`,
);

const common = { testTimeout: 60_000, hookTimeout: 60_000, pool: "forks" } as const;

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      { test: { ...common, name: "pure", include: pure, isolate: false } },
      { test: { ...common, name: "src", include: ["src/**/*.test.ts"], exclude: pure } },
      {
        test: {
          ...common,
          name: "test",
          globalSetup: "test/build.ts",
          include: ["test/**/*.test.ts"],
          exclude: [
            ...["test/package/**", "test/browser/**", "test/real/**"], // with configurations of their own
            ...(process.env["VIVA_SLOW"] ? [] : ["test/slow/**"]),
          ],
        },
      },
    ],
  },
});
