/** The most memory that this process has held. */
import { readFileSync } from "node:fs";

/**
 * In 10⁹ bytes. On Linux from the process's own status: `resourceUsage().maxRSS` begins there with what the process that
 * started this one held, since the kernel carries it over exec.
 */
export function peakMemoryGb(): number {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))!;
    return (Number(kilobytes) * 1024) / 1e9;
  } catch {
    return (process.resourceUsage().maxRSS * 1024) / 1e9;
  }
}
