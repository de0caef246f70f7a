import { defineConfig } from "vitest/config";

/** Layers whose tests leave nothing behind: their files share a process, which loads each module once (decision 0089). */
const layers = [
  ...["algorithms", "answers", "compiler", "control", "core", "evaluate", "io", "nn", "pipeline", "recipes"],
  ...["report", "rewards", "runs", "study", "tinker", "tools", "track", "train"],
];
const shared = layers.map((layer) => `src/${layer}/**/*.test.ts`);

const common = { testTimeout: 60_000, hookTimeout: 60_000, pool: "forks" } as const;

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      { test: { ...common, name: "shared", include: shared, isolate: false } },
      { test: { ...common, name: "src", include: ["src/**/*.test.ts"], exclude: shared } },
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
