/**
 * Images per second of the phantom world, by view: `npx tsx bench/phantoms.ts [size]`; measures CPU time, not waiting.
 */
import { randomKey } from "../src/core/random.ts";
import { drawScene } from "../src/data/phantom/world/draw.ts";
import { placeFindings } from "../src/data/phantom/world/scene.ts";
import { SEQUENCES, type View, views } from "../src/data/phantom/world/views.ts";

const size = Number(process.argv[2] ?? 112);

function drawOne(view: View, i: number): void {
  const key = randomKey(3, view.name, i);
  const kind = view.findings[i % Math.max(1, view.findings.length)];
  const sequence = view.modality === "mri" ? SEQUENCES[i % SEQUENCES.length]! : null;
  const findings = kind === undefined ? [] : placeFindings(view, [{ kind }], [], 0.5, key);
  drawScene({ view, sequence, findings }, size, 0.5, key);
}

for (const view of Object.values(views)) for (let i = 0; i < 150; i++) drawOne(view, i);
let seconds = 0;
let images = 0;
for (const view of Object.values(views)) {
  const start = process.cpuUsage();
  for (let i = 0; i < 400; i++) drawOne(view, i);
  const { user, system } = process.cpuUsage(start);
  seconds += (user + system) / 1e6;
  images += 400;
  console.log(`${view.name.padEnd(16)} ${Math.round(400e6 / (user + system))} images/s`);
}
console.log(`${"all".padEnd(16)} ${Math.round(images / seconds)} images/s at ${size} x ${size}`);
