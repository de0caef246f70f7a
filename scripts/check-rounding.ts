/** Runs all tests under several roundings (VIVA_ROUNDING_SEED): what fails hangs on a processor. Arguments go to vitest. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const vitest = join(import.meta.dirname, "../node_modules/vitest/vitest.mjs");
const failed = ["1", "2", "3"].filter((seed) => {
  console.log(`\nrounding ${seed}`);
  const env = { ...process.env, VIVA_ROUNDING_SEED: seed };
  return spawnSync(process.execPath, [vitest, "run", ...process.argv.slice(2)], { env, stdio: "inherit" }).status !== 0;
});
console.log(failed.length === 0 ? "all tests hold under every rounding" : `tests fail under ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
