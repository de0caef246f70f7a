/** Runs a script of this folder on a device in its own process, since a broken driver can crash it. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Device } from "../../src/core/device.ts";

/** Location of the software Vulkan driver in Debian's package chromium. */
const SWIFT_SHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";

/** The environment with a Vulkan driver: the user's own, else SwiftShader if installed. */
export const driverEnvironment: NodeJS.ProcessEnv = {
  ...(existsSync(SWIFT_SHADER) ? { VK_ICD_FILENAMES: SWIFT_SHADER } : {}),
  ...process.env,
};

/** The script's JSON output; rejects with its exit code or signal, and its stderr. */
export async function runOn<T>(
  script: string,
  device: Device,
  timeout: number,
  ...rest: readonly string[]
): Promise<T> {
  return JSON.parse((await outputOf(script, device, timeout, ...rest)).stdout) as T;
}

/** All that the script writes. */
export function outputOf(
  script: string,
  device: Device,
  timeout: number,
  ...rest: readonly string[]
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const args = ["--import", import.meta.resolve("tsx"), path, device, ...rest];
  const o = { env: driverEnvironment, timeout, killSignal: "SIGKILL", maxBuffer: 1e9 } as const;
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, o, (error, stdout, stderr) => {
      if (error) reject(new Error(`${script} on ${device}: ${error.message} (signal ${error.signal})\n${stderr}`));
      else resolve({ stdout, stderr });
    });
  });
}
