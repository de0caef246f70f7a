import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cardBytes, findCards } from "./cards.ts";

/** A system with NVIDIA cards as its tool prints them, and AMD cards of so many bytes. */
function made(rows: readonly string[], amd: readonly number[]) {
  const folder = mkdtempSync(join(tmpdir(), "viva-cards-"));
  const nvidiaSmi = join(folder, "nvidia-smi");
  writeFileSync(
    nvidiaSmi,
    `#!/bin/sh\n[ "$1" = --query-gpu=name,memory.total ] || exit 1\ncat <<'E'\n${rows.join("\n")}\nE\n`,
  );
  chmodSync(nvidiaSmi, 0o755);
  const drm = join(folder, "drm");
  for (const [i, bytes] of amd.entries()) {
    mkdirSync(join(drm, `card${i}`, "device"), { recursive: true });
    writeFileSync(join(drm, `card${i}`, "device", "mem_info_vram_total"), `${bytes}\n`);
    mkdirSync(join(drm, `card${i}-DP-1`));
  }
  return { nvidiaSmi, drm };
}

test("cards are those that NVIDIA's tool and amdgpu tell of", async () => {
  const both = made(["NVIDIA RTX 4090, 24564", "NVIDIA GB10, [N/A]"], [17_163_091_968]);
  expect(await findCards(both)).toEqual([
    { name: "NVIDIA RTX 4090", bytes: 24564 * 2 ** 20 },
    { name: "amdgpu card0", bytes: 17_163_091_968 },
  ]);
  expect(await cardBytes(both)).toBeNull();
  expect(await cardBytes(made([], [8e9]))).toBe(8e9);
  expect(await findCards({ nvidiaSmi: "/nowhere/nvidia-smi", drm: "/nowhere" })).toEqual([]);
});
