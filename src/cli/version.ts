/** What `viva --version` prints. */
import { arch, platform } from "node:os";
import { fileURLToPath } from "node:url";
import { dependencyVersion } from "../runs/environment.ts";

/** The version, or with --json beside it an object that says on what it runs. */
export function versionText(version: string, args: readonly string[]): string {
  if (!args.includes("--json")) return version;
  const onnxruntime = dependencyVersion("onnxruntime-node", fileURLToPath(import.meta.url));
  return JSON.stringify({ version, node: process.version, onnxruntime, platform: `${platform()} ${arch()}` });
}
