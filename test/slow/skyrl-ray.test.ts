/**
 * The suite of all engines on SkyRL 0.4.0 (JAX) over a Ray cluster of two nodes, in a network and process namespace of its own.
 * Opt-in, since it takes minutes: VIVA_TEST_SKYRL_RAY=1 npx vitest run --config vitest.slow.config.ts test/slow/skyrl-ray.test.ts
 */
import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { root } from "../cli/command-line.ts";
import { describeEngine } from "../conformance/engines/suite.ts";
import { describeWithPython, type Python } from "../real/python.ts";
import { onSkyrl, SKYRL, type SkyrlServer, startSkyrl, writeQwen3 } from "../real/skyrl.ts";

const needs = { ...SKYRL, name: "skyrl-ray", requirements: [...SKYRL.requirements, "ray[default]==2.57.0"] };
const { VIVA_TEST_SKYRL_RAY: asked } = process.env;

let server: SkyrlServer | null = null;
const contender = await onSkyrl(() => server!.url);

if (asked === undefined) {
  it.skip("SkyRL on a Ray cluster: skipped, VIVA_TEST_SKYRL_RAY is not set", () => {});
} else {
  await describeWithPython("SkyRL 0.4.0 on two nodes", needs, asked === "inside" ? onCluster : inNamespace);
}

/** This file once more, where only the loopback interface exists and every process ends with it. */
function inNamespace() {
  it("passes in a namespace of its own", async () => {
    const inner = "ip link set lo up && exec npx vitest run --config vitest.slow.config.ts test/slow/skyrl-ray.test.ts";
    const args = ["-n", "-p", "--fork", "--mount-proc", "--kill-child", "bash", "-c", inner];
    const child = spawn("unshare", args, {
      cwd: root,
      env: { ...process.env, VIVA_TEST_SKYRL_RAY: "inside" },
      stdio: ["ignore", "inherit", "inherit"],
    });
    expect(await new Promise((resolve) => child.on("exit", resolve))).toBe(0);
  });
}

function onCluster(python: Python) {
  const folder = mkdtempSync(join(tmpdir(), "viva-skyrl-ray-"));
  beforeAll(async () => {
    await startCluster(python, folder);
    const more = {
      ...{ use_ray: true, num_processes: 2, fully_sharded_data_parallel_size: 2 },
      ray_actor_options: { num_cpus: 1 },
    };
    const env = { RAY_ADDRESS: "127.0.0.1:16379" };
    server = await startSkyrl(python, writeQwen3(join(folder, "model")), join(folder, "server"), { more, env });
  });
  afterAll(async () => {
    await server?.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  describeEngine("its JAX backend in two processes", contender);
}

/** A head and a node with one CPU each, so that the two processes of the engine stand on both; they end with the namespace. */
async function startCluster(python: Python, folder: string): Promise<void> {
  const temporary = mkdtempSync(join(tmpdir(), "vr-")); // its sockets' paths are short
  const env = {
    ...process.env,
    RAY_USAGE_STATS_ENABLED: "0",
    RAY_DASHBOARD_SUBPROCESS_MODULE_WAIT_READY_TIMEOUT: "180",
    RAY_raylet_start_wait_time_s: "180", // a busy machine takes longer than its 30
    PYTHONPATH: join(folder, "server/python"), // what stands in for torch, in the actors too
    ...{ JAX_PLATFORMS: "cpu", HF_HUB_OFFLINE: "1" },
  };
  const shared = ["--node-ip-address=127.0.0.1", "--num-cpus=1", "--object-store-memory=100000000"];
  const start = async (name: string, n: number, ...own: readonly string[]) => {
    const ports = [`--min-worker-port=${21000 + n * 100}`, `--max-worker-port=${21099 + n * 100}`];
    const agents = [`--dashboard-agent-listen-port=${18366 + n * 100}`, `--runtime-env-agent-port=${18368 + n * 100}`];
    const args = ["start", ...own, ...shared, ...ports, ...agents, "--disable-usage-stats", "--block"];
    const log = join(folder, `${name}.log`);
    const said = () => readFileSync(log, "utf8");
    for (let attempt = 1; ; attempt++) {
      const output = openSync(log, "w");
      const child = spawn(python.bin("ray"), args, { env, stdio: ["ignore", output, output] });
      while (child.exitCode === null && !said().includes("Ray runtime started")) await delay(500);
      if (child.exitCode === null) return;
      if (attempt === 3) throw new Error(`Ray's ${name} does not start:\n${said().slice(-3000)}`);
    }
  };
  await start("head", 0, "--head", "--port=16379", "--include-dashboard=false", `--temp-dir=${temporary}`);
  await start("node", 1, "--address=127.0.0.1:16379");
}
