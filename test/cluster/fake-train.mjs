// Stands in for `viva train … --run FOLDER --json --no-report` on a node: locks the folder, makes steps, leaves checkpoints.
// Its first argument is MS:STEPS:FAIL, milliseconds of a step, their number, and at which one it fails.
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

const [ms, steps, failAt] = process.argv[2].split(":").map(Number);
const folder = process.argv[process.argv.indexOf("--run") + 1];
const resumes = process.argv.includes("--resume");
const fail = (message) => {
  console.error(`error: ${message}`);
  process.exit(2);
};
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
mkdirSync(join(folder, "checkpoints"), { recursive: true });
const lock = join(folder, ".lock");
const holder = existsSync(lock) ? JSON.parse(readFileSync(lock, "utf8")).pid : null;
if (holder !== null && isAlive(holder)) fail(`${lock}: process ${holder} is writing this run; wait for it`);
writeFileSync(lock, JSON.stringify({ pid: process.pid, host: hostname(), started: null }));
if (!resumes) writeFileSync(join(folder, "recipe.yaml"), "name: fake\n");
process.on("SIGTERM", () => {
  rmSync(lock);
  process.exit(143);
});
const done = readdirSync(join(folder, "checkpoints")).length;
appendFileSync(join(folder, "starts.txt"), `${done}\n`);
for (let step = done + 1; step <= steps; step++) {
  await new Promise((resolve) => setTimeout(resolve, ms));
  if (step === failAt) {
    rmSync(lock);
    fail("the loss is not finite");
  }
  const checkpoint = join(folder, "checkpoints", `step-${String(step).padStart(6, "0")}`);
  mkdirSync(checkpoint);
  writeFileSync(join(checkpoint, "whole"), "");
  console.log(JSON.stringify({ type: "step", stage: "grpo", step, total: steps, metrics: {} }));
}
appendFileSync(join(folder, "events.jsonl"), '{"event":"run_end"}\n');
rmSync(lock);
