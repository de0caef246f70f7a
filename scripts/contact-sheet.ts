/**
 * Draws docs/phantoms.png, a sheet of phantom-world images, and prints what each shows: `npx tsx
 * scripts/contact-sheet.ts`.
 */
import { writeFileSync } from "node:fs";
import sharp from "sharp";
import { randomKey } from "../src/core/random.ts";
import { drawScene } from "../src/data/phantom/world/draw.ts";
import { placeFindings } from "../src/data/phantom/world/scene.ts";
import { SEQUENCES, views } from "../src/data/phantom/world/views.ts";

const SIDE = 112;
const COLUMNS = 7;
const DIFFICULTY = 0.4;

const tiles = Object.values(views).flatMap((view) => {
  const clear = view.findings.length > 0 ? [null] : [null, null];
  return [...clear, ...view.findings].map((kind, i) => {
    const key = randomKey(11, "sheet", view.name, i);
    const sequence = view.modality === "mri" ? SEQUENCES[i % SEQUENCES.length]! : null;
    const findings = kind === null ? [] : placeFindings(view, [{ kind }], [], DIFFICULTY, key);
    const side = findings[0]?.site.side ?? "";
    const shows = [view.title, sequence ?? "", side, kind?.name ?? "no finding"]
      .filter((part) => part !== "")
      .join(", ");
    return { shows, image: drawScene({ view, sequence, findings }, SIDE, DIFFICULTY, key) };
  });
});

const rows = Math.ceil(tiles.length / COLUMNS);
const step = SIDE + 2;
const [width, height] = [COLUMNS * step, rows * step];
const data = new Uint8Array(width * height);
for (const [i, { shows, image }] of tiles.entries()) {
  const [left, top] = [(i % COLUMNS) * step + 1, Math.floor(i / COLUMNS) * step + 1];
  for (let row = 0; row < SIDE; row++) {
    data.set(image.data.subarray(row * SIDE, (row + 1) * SIDE), (top + row) * width + left);
  }
  console.log(`row ${Math.floor(i / COLUMNS) + 1}, column ${(i % COLUMNS) + 1}: ${shows}`);
}
// 32 greys: with 256, the noise would make the file four times as large.
const png = await sharp(
  data.map((grey) => Math.round(grey / 8.226) * 8.226),
  { raw: { width, height, channels: 1 } },
)
  .png({ compressionLevel: 9, palette: true, colours: 32 })
  .toBuffer();
writeFileSync("docs/phantoms.png", png);
console.log(`docs/phantoms.png: ${width} x ${height}, ${Math.round(png.length / 1024)} KB`);
