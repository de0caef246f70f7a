/** What viva finds on this machine: hardware, devices, versions, and speeds measured here and now. */
import { existsSync, readFileSync, statfsSync } from "node:fs";
import { availableParallelism, cpus, freemem, loadavg, totalmem } from "node:os";
import { dirname } from "node:path";
import sharp from "sharp";
import { type DeviceReport, tryDevices } from "../engine/local/devices.ts";
import { measureSpeed } from "../engine/local/machine-speed.ts";
import type { Spread } from "../engine/local/time-program.ts";
import { hubCache } from "../io/hub/index.ts";
import { environment } from "../runs/environment.ts";

/** What `viva doctor --json` prints. A speed is in 10⁹ operations or bytes per second. */
export interface Doctor {
  readonly node: string;
  /** For example "linux x64 6.1.0". */
  readonly platform: string;
  /** By package name, and "libvips"; "unknown" where a package could not be found. */
  readonly versions: Readonly<Record<string, string>>;
  readonly cpu: CpuFacts & {
    readonly model: string;
    /** Cores as the system counts them, and those that this process may use. */
    readonly logical_cores: number;
    readonly usable_cores: number;
    /** Mean number of programs that wanted to compute in the last minute, before anything was measured. */
    readonly load: number;
  };
  /** 10⁹ bytes; `limit_gb` is what the container allows, null without one. */
  readonly memory: { readonly total_gb: number; readonly free_gb: number; readonly limit_gb: number | null };
  /** The folder that downloaded models go to, and the free space where it is or will be. */
  readonly cache: { readonly folder: string; readonly exists: boolean; readonly free_gb: number };
  readonly devices: readonly DeviceReport[];
  readonly speed: {
    readonly matmul_gflops: Spread;
    readonly matmul_packed_gflops: Spread;
    readonly matmul_int8_gops: Spread;
    readonly memory_gb_per_second: Spread;
    /** Medians of a small model's operators with one thread, and with all of them asleep after a short wait or spinning while they wait. */
    readonly threads_ms: { readonly one: number; readonly short: number; readonly spinning: number };
  };
}

export interface CpuFacts {
  /** Null where the system does not tell. */
  readonly physical_cores: number | null;
  /** The vector extensions that matter for speed, as the system spells them. */
  readonly features: readonly string[];
}

/** Takes about ten seconds and writes nothing. */
export async function examine(env: NodeJS.ProcessEnv = process.env): Promise<Doctor> {
  const load = loadavg()[0]!;
  const { node, platform, cpu, packages } = environment(["onnxruntime-node", "sharp", "@huggingface/tokenizers"]);
  const memory = { total_gb: totalmem() / 1e9, free_gb: freemem() / 1e9, limit_gb: memoryLimit() };
  const devices = await tryDevices(env);
  const speed = await measureSpeed();
  return {
    node,
    platform,
    versions: { ...packages, libvips: sharp.versions.vips },
    cpu: {
      model: cpu,
      logical_cores: cpus().length,
      usable_cores: availableParallelism(),
      load,
      ...cpuFacts(existsSync("/proc/cpuinfo") ? readFileSync("/proc/cpuinfo", "utf8") : ""),
    },
    memory,
    cache: cacheFacts(hubCache(env)),
    devices,
    speed: {
      matmul_gflops: speed.matmul,
      matmul_packed_gflops: speed.matmulPacked,
      matmul_int8_gops: speed.matmulInt8,
      memory_gb_per_second: speed.memory,
      threads_ms: speed.threads,
    },
  };
}

/** Reads /proc/cpuinfo of Linux; an empty text tells nothing. */
export function cpuFacts(cpuinfo: string): CpuFacts {
  const values = (key: string) =>
    [...cpuinfo.matchAll(new RegExp(`^${key}\\s*: (.*)$`, "gm"))].map(([, value]) => value!);
  const [packages, cores] = [values("physical id"), values("core id")];
  const physical = new Set(cores.map((core, i) => `${packages[i] ?? 0}/${core}`)).size;
  const flags = new Set((values("flags")[0] ?? values("Features")[0] ?? "").split(" "));
  const features = ["avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16"];
  const more = ["amx_tile", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "bf16", "sve"];
  return {
    physical_cores: physical === 0 ? null : physical,
    features: [...features, ...more].filter((name) => flags.has(name)),
  };
}

function cacheFacts(folder: string): Doctor["cache"] {
  let there = folder;
  while (!existsSync(there)) there = dirname(there);
  const { bavail, bsize } = statfsSync(there);
  return { folder, exists: there === folder, free_gb: (bavail * bsize) / 1e9 };
}

/** The container's limit; systems without one give 0 or a number beyond the memory. */
function memoryLimit(): number | null {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit / 1e9 : null;
}
