import { expect, it } from "vitest";
import { runHostile } from "./run.ts";
import { targets } from "./targets.ts";

it("a fiftieth of the hostile files ends in a clear error or a load (npm run check:slow runs them all)", async () => {
  const { code, results, problems, stderr } = await runHostile(1, 1 / 50, 1);
  expect(problems).toEqual([]);
  expect(code, stderr).toBe(0);
  expect(results.map(({ target }) => target)).toEqual(targets.map(({ name }) => name));
  for (const { target, loaded, refused, cases } of results) {
    expect(loaded + refused, target).toBe(cases);
    expect(refused, target).toBeGreaterThan(0); // mutations that nothing notices would show nothing
  }
});
