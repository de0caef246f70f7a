/** viva doctor: what this machine has, which devices work, and how fast it is. */
import { Command } from "commander";
import { alignColumns } from "../core/text-table.ts";
import type { Doctor } from "../diagnostics/machine.ts";

type Spread = Doctor["speed"]["matmul_gflops"];

/** Times closer than this are called equal. */
const CLEAR = 1.1;

export function doctorCommand(): Command {
  return new Command("doctor")
    .option("--json", "print one JSON object")
    .action(async ({ json }: { readonly json?: boolean }) => {
      const { examine } = await import("../diagnostics/machine.ts");
      const found = await examine();
      console.log(json ? JSON.stringify(found) : formatDoctor(found));
    });
}

/** The findings as lines for a reader. */
export function formatDoctor(found: Doctor): string {
  const { cpu, memory, cache, speed } = found;
  const versions = Object.entries(found.versions).map(([name, version]) => `${name} ${version}`);
  const physical = cpu.physical_cores === null ? "" : `${cpu.physical_cores} physical, `;
  const limit = memory.limit_gb === null ? "" : `, ${gb(memory.limit_gb)} allowed`;
  const lines: [string, string][] = [
    ["versions", `node ${found.node}, ${versions.join(", ")}`],
    ["platform", found.platform],
    ["cpu", cpu.model],
    ["cores", `${physical}${cpu.logical_cores} logical, ${cpu.usable_cores} usable; load ${cpu.load.toFixed(1)}`],
    ["extensions", cpu.features.join(" ") || "not told by the system"],
    ["memory", `${gb(memory.total_gb)}, ${gb(memory.free_gb)} free${limit}`],
    ["cache", `${cache.folder}${cache.exists ? "" : " (not made yet)"}, ${gb(cache.free_gb)} free on its disk`],
    ...found.devices.map(({ device, works, bundled, reason }): [string, string] => {
      return [`device ${device}`, works ? "works" : `${bundled ? "bundled, does not work" : "not here"}: ${reason}`];
    }),
    ["cards", describeCards(found.cards)],
    ["matmul", spread(speed.matmul_gflops, "GFLOP/s, float32, 1024 x 1024 matrices")],
    ["  packed", spread(speed.matmul_packed_gflops, "GFLOP/s, the second one stored in the program")],
    ["  int8", spread(speed.matmul_int8_gops, "Gop/s, weights and arithmetic of 8 bits")],
    ["memory read", spread(speed.memory_gb_per_second, "GB/s, row sums of 268 MB")],
    ["threads", threadAdvice(speed.threads_ms)],
  ];
  const busy = cpu.load > 0.5 * cpu.usable_cores;
  const note = busy ? ["Other programs were busy: this machine can do more than was measured."] : [];
  return [...alignColumns(lines), ...note].join("\n");
}

function describeCards(cards: Doctor["cards"]): string {
  if (cards.length === 0) return "none of which the system tells a memory (nvidia-smi, amdgpu)";
  return cards.map(({ name, memory_gb }) => `${name}, ${gb(memory_gb)}`).join("; ");
}

function threadAdvice({ one, short, spinning }: Doctor["speed"]["threads_ms"]): string {
  const figures = `one ${one.toFixed(2)} ms, all asleep after 25 µs of waiting ${short.toFixed(2)} ms, all spinning ${spinning.toFixed(2)} ms`;
  const best = Math.min(one, short, spinning);
  if (short <= CLEAR * best) return `${figures}: viva's setting (asleep after 25 µs) is as good as any here`;
  if (one === best) return `${figures}: one thread is faster for small models (engine.threads: 1)`;
  return `${figures}: spinning threads would be faster here; viva lets them sleep after 25 µs`;
}

const gb = (value: number) => `${value.toFixed(1)} GB`;

function spread({ low, median, high, best }: Spread, unit: string): string {
  const digits = median < 100 ? 1 : 0;
  const [l, m, h, b] = [low, median, high, best].map((value) => value.toFixed(digits));
  return `${m} [${l}, ${h}], best ${b} ${unit}`;
}
