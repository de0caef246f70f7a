/**
 * The graphics cards that this system tells of, with their memory. ONNX Runtime tells neither from Node, and WebGPU no memory
 * at all; a card that shares the machine's memory has none of its own and is not among these.
 */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Card {
  readonly name: string;
  /** Of its own memory. */
  readonly bytes: number;
}

/** Who is asked: NVIDIA's tool, and the files of Linux's amdgpu. */
export interface CardSources {
  readonly nvidiaSmi: string;
  readonly drm: string;
}

const system: CardSources = { nvidiaSmi: "nvidia-smi", drm: "/sys/class/drm" };
const TIMEOUT_MS = 5000;

export async function findCards({ nvidiaSmi, drm }: CardSources = system): Promise<readonly Card[]> {
  return [...(await nvidiaCards(nvidiaSmi)), ...amdCards(drm)];
}

/** The memory of the only card that is told of, in bytes; null where there is none, or another may be meant. */
export async function cardBytes(sources: CardSources = system): Promise<number | null> {
  const [card, ...others] = await findCards(sources);
  return card === undefined || others.length > 0 ? null : card.bytes;
}

function nvidiaCards(tool: string): Promise<Card[]> {
  const asked = ["--query-gpu=name,memory.total", "--format=csv,noheader,nounits"];
  return new Promise((resolve) => {
    execFile(tool, asked, { timeout: TIMEOUT_MS }, (error, stdout) => resolve(error ? [] : nvidiaRows(stdout)));
  });
}

/** Rows "name, MiB"; memory that is not told ("[N/A]") leaves a card out. */
function nvidiaRows(text: string): Card[] {
  return text.split("\n").flatMap((row) => {
    const [, name, mebibytes] = /^(.+), (\d+)$/.exec(row.trim()) ?? [];
    return name === undefined ? [] : [{ name, bytes: Number(mebibytes) * 2 ** 20 }];
  });
}

/** amdgpu has a file with the bytes of a card's memory (docs.kernel.org, gpu/amdgpu, "Memory usage information"). */
function amdCards(drm: string): Card[] {
  const folders = existsSync(drm) ? readdirSync(drm).filter((name) => /^card\d+$/.test(name)) : [];
  return folders.flatMap((name) => {
    const file = join(drm, name, "device", "mem_info_vram_total");
    return existsSync(file) ? [{ name: `amdgpu ${name}`, bytes: Number(readFileSync(file, "utf8")) }] : [];
  });
}
