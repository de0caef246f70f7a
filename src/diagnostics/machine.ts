/** Inspects this machine: hardware, devices, versions, and measured speeds. */
import { existsSync, readFileSync, statfsSync } from "node:fs";
import { availableParallelism, cpus, freemem, loadavg, totalmem } from "node:os";
import { dirname } from "node:path";
import sharp from "sharp";
import { findCards } from "../engine/local/cards.ts";
import { type DeviceReport, tryDevices } from "../engine/local/devices.ts";
import { measureSpeed } from "../engine/local/machine-speed.ts";
import type { Spread } from "../engine/local/time-program.ts";
import { hubCache } from "../io/hub/index.ts";
import { environment } from "../runs/environment.ts";

/** The output of `viva doctor --json`. Speeds are in 10⁹ operations or bytes per second. */
export interface Doctor {
  readonly node: string;
  /** E.g. "linux x64 6.1.0". */
  readonly platform: string;
  /** By package name, and "libvips"; "unknown" if a package was not found. */
  readonly versions: Readonly<Record<string, string>>;
  readonly cpu: CpuFacts & {
    readonly model: string;
    /** Logical cores of the system, and those available to this process. */
    readonly logical_cores: number;
    readonly usable_cores: number;
    /** Load average of the last minute, before any measurement. */
    readonly load: number;
  };
  /** 10⁹ bytes; `limit_gb` is the container's limit, null without one. */
  readonly memory: { readonly total_gb: number; readonly free_gb: number; readonly limit_gb: number | null };
  /** The download folder for models, and the free space there. */
  readonly cache: { readonly folder: string; readonly exists: boolean; readonly free_gb: number };
  readonly devices: readonly DeviceReport[];
  /** Graphics cards with memory of their own, as far as the system tells them. */
  readonly cards: readonly { readonly name: string; readonly memory_gb: number }[];
  readonly speed: {
    readonly matmul_gflops: Spread;
    readonly matmul_packed_gflops: Spread;
    readonly matmul_int8_gops: Spread;
    readonly memory_gb_per_second: Spread;
    /**
     * Median time of a small model's operators with one thread; with all threads, which sleep after a short spin while
     * they wait; and with all threads spinning.
     */
    readonly threads_ms: { readonly one: number; readonly short: number; readonly spinning: number };
  };
}

export interface CpuFacts {
  /** Null if the system does not report it. */
  readonly physical_cores: number | null;
  /** The vector extensions relevant for speed, as spelled by the system. */
  readonly features: readonly string[];
}

/** Takes about ten seconds and writes nothing. */
export async function examine(env: NodeJS.ProcessEnv = process.env): Promise<Doctor> {
  const load = loadavg()[0]!;
  const { node, platform, cpu, packages } = environment(["onnxruntime-node", "sharp", "@huggingface/tokenizers"]);
  const memory = { total_gb: totalmem() / 1e9, free_gb: freemem() / 1e9, limit_gb: memoryLimit() };
  const devices = await tryDevices(env);
  const cards = (await findCards()).map(({ name, bytes }) => ({ name, memory_gb: bytes / 1e9 }));
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
    cards,
    speed: {
      matmul_gflops: speed.matmul,
      matmul_packed_gflops: speed.matmulPacked,
      matmul_int8_gops: speed.matmulInt8,
      memory_gb_per_second: speed.memory,
      threads_ms: speed.threads,
    },
  };
}

/** Parses Linux's /proc/cpuinfo; an empty text yields no facts. */
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

/** The container's limit; systems without one return 0 or more than the memory. */
function memoryLimit(): number | null {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit / 1e9 : null;
}
