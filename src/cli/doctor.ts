/** viva doctor: what this machine has, which devices work, and how fast it is; or whether a recipe fits into its memory. */
import { Command } from "commander";
import { UserError } from "../core/errors.ts";
import { type Doctor, examine } from "../diagnostics/machine.ts";
import { examineRecipe, type RecipeDoctor } from "../diagnostics/recipe-memory.ts";
import { loadRecipe } from "../recipes/load.ts";
import { collect, type Interruption } from "./arguments.ts";
import { downloadReporter } from "./options.ts";

type Spread = Doctor["speed"]["matmul_gflops"];

/** Times closer than this are called equal. */
const CLEAR = 1.1;

interface DoctorOptions {
  readonly recipe?: string;
  readonly set: readonly string[];
  readonly json?: boolean;
}

export function doctorCommand(interruption: Interruption): Command {
  return new Command("doctor")
    .description("show hardware, devices, versions, and speeds measured now; nothing is written")
    .option("--recipe <file>", "show instead the memory that training by this recipe takes, and whether it is here")
    .option("--set <key=value>", "with --recipe: override a key, e.g. model.path=FOLDER (repeatable)", collect, [])
    .option("--json", "print one JSON object")
    .action(({ recipe, set, json }: DoctorOptions) =>
      interruption.during(async (signal) => {
        if (recipe === undefined && set.length > 0) throw new UserError("doctor: --set needs --recipe");
        if (recipe === undefined) {
          const found = await examine();
          console.log(json ? JSON.stringify(found) : formatDoctor(found));
          return;
        }
        const found = await examineRecipe(loadRecipe(recipe, set).recipe, { reporter: downloadReporter(), signal });
        console.log(json ? JSON.stringify(found) : formatRecipeDoctor(found));
      }),
    );
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
    ["matmul", spread(speed.matmul_gflops, "GFLOP/s, float32, 1024 x 1024 matrices")],
    ["  packed", spread(speed.matmul_packed_gflops, "GFLOP/s, the second one stored in the program")],
    ["  int8", spread(speed.matmul_int8_gops, "Gop/s, weights and arithmetic of 8 bits")],
    ["memory read", spread(speed.memory_gb_per_second, "GB/s, row sums of 268 MB")],
    ["threads", threadAdvice(speed.threads_ms)],
  ];
  const busy = cpu.load > 0.5 * cpu.usable_cores;
  const note = busy ? ["Other programs were busy: this machine can do more than was measured."] : [];
  return [...lines.map(([name, text]) => `${name.padEnd(14)}${text}`), ...note].join("\n");
}

/** The memory of a recipe as lines for a reader. */
export function formatRecipeDoctor(found: RecipeDoctor): string {
  const { total_gb, available_gb, free_gb, fits, changes, together_gb } = found;
  const { prompts, prompt_tokens, image_tokens, num_generations, completion_tokens } = found.largest_step;
  const fitting = (yes: boolean) => (yes ? "fits" : "does not fit");
  const busy = fits && total_gb > free_gb ? ", once other programs have left" : "";
  const parts = Object.entries(found.parts_gb)
    .filter(([, value]) => value > 0)
    .sort(([, a], [, b]) => b - a);
  const lines: [string, string][] = [
    ["recipe", `${found.recipe}, model ${found.model}`],
    [
      "largest step",
      `${found.stage}: ${prompts} prompts of at most ${prompt_tokens} tokens (images ${image_tokens}), ${num_generations} x ${completion_tokens} tokens to each`,
    ],
    ["memory", `at most about ${size(total_gb)}`],
    ...parts.map(([part, value]): [string, string] => [`  ${part}`, size(value)]),
    ["this machine", `${size(available_gb)}, ${size(free_gb)} free: it ${fitting(fits)}${busy}`],
    ...changes.map((each, i): [string, string] => {
      return [i === 0 ? "what helps" : "", `${each.change}: ${size(each.total_gb)}, ${fitting(each.fits)}`];
    }),
  ];
  if (changes.length > 1)
    lines.push(["", `all of these: ${size(together_gb!)}, ${fitting(together_gb! <= available_gb)}`]);
  if (!fits && changes.length === 0) lines.push(["what helps", "a smaller model, or a machine with more memory"]);
  return lines.map(([name, text]) => `${name.padEnd(18)}${text}`).join("\n");
}

/** Two digits of a plan that is right to about a tenth. */
const size = (value: number) => `${value < 10 ? value.toPrecision(2) : value.toFixed(0)} GB`;

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
