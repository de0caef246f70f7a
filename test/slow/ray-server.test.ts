/** A run whose server is a job of a real Ray, in a network and process namespace of its own: it starts, serves and ends with it. */
import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, inject, it } from "vitest";
import { openRay } from "../../src/cluster/ray-client.ts";
import { jsonLines, root, temporaryFolder, vivaOk } from "../cli/command-line.ts";
import { tinyRecipe, writeFilms, writeRecipe } from "../cli/tiny-run.ts";
import { describeWithPython, type Python } from "../real/python.ts";
import { checkpoint } from "../server/served.ts";

const needs = { name: "ray", version: "3.12", requirements: ["ray[default]==2.57.0"] } as const;
const dashboard = "http://127.0.0.1:18265";
const url = "http://127.0.0.1:18999";

await describeWithPython(
  "a server as a job of Ray",
  needs,
  process.env["VIVA_TEST_RAY_SERVER"] === "inside" ? onRay : inNamespace,
);

/** This file once more, where only the loopback interface exists and every process ends with it. */
function inNamespace() {
  it("passes in a namespace of its own", { timeout: 20 * 60_000 }, async () => {
    const inner =
      "ip link set lo up && exec npx vitest run --config vitest.slow.config.ts test/slow/ray-server.test.ts";
    const child = spawn("unshare", ["-n", "-p", "--fork", "--mount-proc", "--kill-child", "bash", "-c", inner], {
      cwd: root,
      env: { ...process.env, VIVA_TEST_RAY_SERVER: "inside" },
      stdio: ["ignore", "inherit", "inherit"],
    });
    expect(await new Promise((resolve) => child.on("exit", resolve))).toBe(0);
  });
}

function onRay(python: Python) {
  const folder = temporaryFolder();

  it("starts with the run, serves it, and is stopped with it", { timeout: 15 * 60_000 }, async () => {
    const temporary = mkdtempSync(join(tmpdir(), "vr-")); // its sockets' paths are short
    const log = join(folder, "head.log");
    const output = openSync(log, "a");
    const network = [
      "--node-ip-address=127.0.0.1",
      "--port=16379",
      "--min-worker-port=21000",
      "--max-worker-port=21099",
    ];
    const served = ["--include-dashboard=true", "--dashboard-host=127.0.0.1", "--dashboard-port=18265"];
    const own = ["--num-cpus=2", "--object-store-memory=100000000", `--temp-dir=${temporary}`, "--disable-usage-stats"];
    const head = spawn(python.bin("ray"), ["start", "--head", ...network, ...served, ...own, "--block"], {
      env: {
        ...process.env,
        RAY_DASHBOARD_SUBPROCESS_MODULE_WAIT_READY_TIMEOUT: "180",
        RAY_raylet_start_wait_time_s: "180", // a busy machine takes longer than its 30
      },
      stdio: ["ignore", output, output],
    });
    const ray = openRay(dashboard);
    const nodes = async () => {
      expect(head.exitCode, readFileSync(log, "utf8").slice(-2000)).toBeNull();
      return (await ray.nodes().catch(() => [])).length;
    };
    while ((await nodes()) === 0) await delay(1000);

    const { stages, ...plain } = tinyRecipe({ model: checkpoint, data: await writeFilms(join(folder, "films")) });
    const main = join(inject("built"), "dist/cli/main.js");
    const command = `${process.execPath} ${main} serve ${checkpoint} --tinker --port 18999`;
    const file = writeRecipe(join(folder, "served.yaml"), {
      ...{
        ...plain,
        model: { path: checkpoint, lora: { r: 2 } },
        stages: [{ ...(stages[0] as object), weight_decay: 0 }],
      },
      engine: { backend: "tinker", url, server_job: { ray: dashboard, command } },
    });
    const { stdout } = await vivaOk(folder, "train", file, "--run", "run", "--no-report", "--json");
    expect(stdout).toMatch(/starting the server .* as a job of Ray/);
    expect(jsonLines(folder, "run", "metrics.jsonl").length).toBe(4);
    const isUp = () =>
      fetch(`${url}/api/v1/healthz`).then(
        () => true,
        () => false,
      );
    expect(await isUp()).toBe(false);
    rmSync(temporary, { recursive: true, force: true, maxRetries: 5 });
  });
}
