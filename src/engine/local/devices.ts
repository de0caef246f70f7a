/** Which devices work on this machine: each is probed in its own process, since a broken driver can crash it. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Device, devices } from "../../core/device.ts";
import { UserError } from "../../core/errors.ts";
import { supportedBackends } from "../../runtime/session.ts";

export interface DeviceReport {
  readonly device: Device;
  /** Whether the installed onnxruntime-node bundles it; it does not work for that reason alone. */
  readonly bundled: boolean;
  readonly works: boolean;
  /** Why it does not work; null if it does. */
  readonly reason: string | null;
}

/** The probe's output, as JSON: null, or the problem. */
export type DeviceProblem = string | null;

/** Timeout for a driver that hangs. */
const TIMEOUT_MS = 30_000;

const advice: { readonly [D in Device]?: string } = {
  webgpu: "it needs a Vulkan, Metal or Direct3D 12 driver",
  cuda: "its libraries are installed apart, see docs/devices.md",
};

/** Runs a small matmul on every device. */
export function tryDevices(env: NodeJS.ProcessEnv = process.env): Promise<readonly DeviceReport[]> {
  return Promise.all(devices.map((device) => tryDevice(device, env)));
}

/** Runs a small matmul on a device. `env` is passed to its driver, e.g. VK_ICD_FILENAMES for Vulkan. */
export async function tryDevice(device: Device, env: NodeJS.ProcessEnv = process.env): Promise<DeviceReport> {
  const backend = supportedBackends().find(({ name }) => name === device);
  if (backend === undefined) {
    const reason = `onnxruntime-node has no ${device} on ${process.platform} ${process.arch}`;
    return { device, bundled: false, works: false, reason };
  }
  const result = await probe(device, env);
  const hint = advice[device] === undefined ? "" : `; ${advice[device]}`;
  const reason = result === null ? null : `${result}${hint}`;
  return { device, bundled: backend.bundled, works: result === null, reason };
}

/** Throws a UserError that lists the working devices, unless this one works. */
export async function requireDevice(device: Device, env: NodeJS.ProcessEnv = process.env): Promise<void> {
  if (device === "cpu") return;
  const { works, reason } = await tryDevice(device, env);
  if (works) return;
  const working = (await tryDevices(env)).filter((report) => report.works).map((report) => report.device);
  throw new UserError(`the device ${device} does not work here: ${reason}. Devices that work: ${working.join(", ")}`);
}

function probe(device: Device, env: NodeJS.ProcessEnv): Promise<DeviceProblem> {
  const fromSource = import.meta.url.endsWith(".ts");
  const script = fileURLToPath(new URL(fromSource ? "./device-probe.ts" : "./device-probe.js", import.meta.url));
  const loader = fromSource ? ["--import", import.meta.resolve("tsx")] : [];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [...loader, script, device],
      { env, timeout: TIMEOUT_MS, killSignal: "SIGKILL" },
      (error, stdout) => {
        if (error?.killed) resolve(`it gave no answer within ${TIMEOUT_MS / 1000} s`);
        else if (error) resolve(`its driver ended the process (${error.signal ?? `exit code ${error.code}`})`);
        else resolve(JSON.parse(stdout.trim().split("\n").at(-1)!) as DeviceProblem);
      },
    );
  });
}
