/** Runs all tests under several roundings (VIVA_ROUNDING_SEED): what fails hangs on a processor. Arguments go to vitest. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

/** What is read of vitest's JSON report. */
interface Results {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

const root = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "viva-rounding-"));

const fallen = ["1", "2", "3"].flatMap((seed) => {
  console.log(`\nrounding ${seed}`);
  const report = join(folder, `${seed}.json`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const args = [join(root, "node_modules/vitest/vitest.mjs"), "run", ...reporters, ...process.argv.slice(2)];
  const env = { ...process.env, VIVA_ROUNDING_SEED: seed };
  const { status } = spawnSync(process.execPath, args, { cwd: root, env, stdio: "inherit" });
  return status === 0 ? [] : [`rounding ${seed}:`, ...failures(report)];
});
rmSync(folder, { recursive: true });
console.log(fallen.length === 0 ? "\nall tests hold under every rounding" : `\ntests fail\n${fallen.join("\n")}`);
process.exitCode = fallen.length === 0 ? 0 : 1;

/** A line for each test that failed, and for each file that did so outside of its tests. */
function failures(report: string): readonly string[] {
  if (!existsSync(report)) return ["  vitest ended without a result"];
  const { testResults } = JSON.parse(readFileSync(report, "utf8")) as Results;
  const lines = testResults.flatMap(({ name, status, assertionResults }) => {
    const file = relative(root, name);
    const tests = assertionResults.filter((test) => test.status === "failed").map(({ fullName }) => fullName);
    if (tests.length === 0 && status === "failed") return [`  ${file}`];
    return tests.map((test) => `  ${file}: ${test}`);
  });
  return lines.length > 0 ? lines : ["  no test failed, but the run did"];
}
