import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { peakMemoryGb } from "./peak-memory.ts";

it("is this process's own, however large the one that started it", () => {
  const large = Buffer.alloc(400e6, 1);
  const script = `import { peakMemoryGb } from ${JSON.stringify(new URL("./peak-memory.ts", import.meta.url).href)};
    const before = peakMemoryGb();
    const own = Buffer.alloc(100e6, 1);
    console.log(JSON.stringify([before, peakMemoryGb(), own.length]));`;
  const args = ["--import", "tsx", "--input-type=module", "--eval", script];
  const [before, after] = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
  expect(large[large.length - 1]).toBe(1);
  expect(peakMemoryGb()).toBeGreaterThan(0.4);
  expect(before).toBeLessThan(0.3);
  expect(after - before).toBeGreaterThan(0.08);
});
