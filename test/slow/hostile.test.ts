import { expect, it } from "vitest";
import { runHostile } from "../hostile/run.ts";
import { targets } from "../hostile/targets.ts";

it("makes at least 10,000 mutations", () => {
  expect(targets.reduce((sum, { cases }) => sum + cases, 0)).toBeGreaterThanOrEqual(10_000);
});

it.each(targets)("$cases mutations of $name end in a clear error or a load", async ({ name, cases }) => {
  const { code, results, problems, stderr } = await runHostile(1, 1, 25, name);
  expect(problems).toEqual([]);
  expect(code, stderr).toBe(0);
  const [result] = results;
  console.log(JSON.stringify(result));
  expect(result!.loaded + result!.refused).toBe(cases);
  expect(result!.loaded).toBeGreaterThan(0);
  expect(result!.max_rss_mb).toBeLessThan(1500);
});
