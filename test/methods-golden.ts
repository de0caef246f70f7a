/**
 * Inputs and outputs of published methods, made by independent programs: ../shared/goldens/methods.json beside the
 * checkout. It is not part of the repository; tests that need it are skipped where it is absent, saying so.
 */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { it } from "vitest";

const file = resolve(import.meta.dirname, "../../shared/goldens/methods.json");
const groups: Readonly<Record<string, unknown>> | null = existsSync(file)
  ? JSON.parse(readFileSync(file, "utf8"))
  : null;

/** A test on one group of the goldens; `Golden` is the group's shape. */
export function itMatchesGolden<Golden>(
  group: string,
  what: string,
  test: (golden: Golden) => void | Promise<void>,
): void {
  const title = `golden ${group}: ${what}`;
  it.skipIf(groups === null)(groups === null ? `${title} (skipped: no ../shared/goldens)` : title, () => {
    const golden = groups?.[group];
    if (golden === undefined) throw new Error(`${file} has no group ${group}`);
    return test(golden as Golden);
  });
}
