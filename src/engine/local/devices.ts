/** Which devices work on this machine: each is tried in a process of its own, since a driver may end the one it runs in. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Device, devices } from "../../core/device.ts";
import { UserError } from "../../core/errors.ts";
import { supportedBackends } from "../../runtime/session.ts";

export interface DeviceReport {
  readonly device: Device;
  /** It comes with the onnxruntime-node installed here; that alone does not make it work. */
  readonly bundled: boolean;
  readonly works: boolean;
  /** Why it does not work; null when it does. */
  readonly reason: string | null;
}

/** What the probe prints, as JSON: null, or what went wrong. */
export type DeviceProblem = string | null;

/** A driver that hangs is given up after this long. */
const TIMEOUT_MS = 30_000;

const advice: { readonly [D in Device]?: string } = {
  webgpu: "it needs a Vulkan, Metal or Direct3D 12 driver",
  cuda: "its libraries are installed apart, see docs/devices.md",
};

/** Runs a small product on every device. */
export function tryDevices(env: NodeJS.ProcessEnv = process.env): Promise<readonly DeviceReport[]> {
  return Promise.all(devices.map((device) => tryDevice(device, env)));
}

/** Runs a small product on a device. `env` reaches its driver: VK_ICD_FILENAMES names a Vulkan one. */
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

/** Throws a UserError that lists the devices that work, unless this one does. */
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
