/**
 * Writes docs/ui-pages.png: every page of `viva ui`, side by side and small.
 * usage: viva ui RUNS --port 8400 &   then   npx tsx scripts/ui-screenshots.ts http://127.0.0.1:8400 RUN STUDY
 * RUN and STUDY are paths as the list of runs has them.
 */
import sharp from "sharp";
import { launch } from "../test/browser/pages.ts";

const [origin, runPath, studyPath] = process.argv.slice(2);
if (studyPath === undefined) throw new Error("usage: ui-screenshots.ts ORIGIN RUN STUDY");

interface List {
  readonly runs: readonly { readonly id: string; readonly path: string }[];
  readonly studies: readonly { readonly id: string; readonly path: string }[];
}
const { runs, studies } = (await (await fetch(`${origin}/api/runs`)).json()) as List;
const run = runs.find(({ path }) => path === runPath)?.id;
const other = runs.find(({ path }) => path !== runPath && path.startsWith(runPath!.split("/")[0]!))?.id;
const study = studies.find(({ path }) => path === studyPath)?.id;
if (run === undefined || study === undefined) throw new Error(`${origin} shows no ${runPath} or no ${studyPath}`);

/** In the order of docs/ui.md. */
const shown: readonly (readonly [name: string, path: string])[] = [
  ["Runs", ""],
  ["Live", `runs/${run}`],
  ["Rollouts", `runs/${run}/rollouts?image=0`],
  ["Evaluation", `runs/${run}/evaluation`],
  ["Rewards", `runs/${run}/rewards`],
  ["Alarms", `runs/${run}/alarms`],
  ["Data", `runs/${run}/data`],
  ["Checkpoints", `runs/${run}/checkpoints`],
  ["Play", `runs/${run}/play`],
  ["Annotate", `runs/${run}/annotate?by=reader`],
  ["Compare", `compare/${other ?? run}+${run}`],
  ["Study", `studies/${study}`],
];
const [columns, width, height, gap, caption] = [3, 480, 360, 12, 26];

const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1200, height: 900 }, colorScheme: "light" });
const tiles: Buffer[] = [];
for (const [, path] of shown) {
  await page.goto(`${origin}/${path}`);
  await page.waitForFunction(() => !/loading/.test(document.querySelector("main")?.textContent ?? "loading"));
  await page.waitForTimeout(1500); // thumbnails and charts
  tiles.push(
    await sharp(await page.screenshot())
      .resize(width, height)
      .png()
      .toBuffer(),
  );
}
await browser.close();

const rows = Math.ceil(shown.length / columns);
const at = (i: number) => ({
  left: gap + (i % columns) * (width + gap),
  top: gap + Math.floor(i / columns) * (height + caption + gap),
});
const label = (text: string) =>
  Buffer.from(
    `<svg width="${width}" height="${caption}"><text x="2" y="18" font-family="sans-serif" font-size="16">${text}</text></svg>`,
  );
await sharp({
  create: {
    width: columns * (width + gap) + gap,
    height: rows * (height + caption + gap) + gap,
    channels: 3,
    background: "#d8d8d8",
  },
})
  .composite(
    tiles.flatMap((input, i) => [
      { input: label(shown[i]![0]), ...at(i) },
      { input, left: at(i).left, top: at(i).top + caption },
    ]),
  )
  .png({ palette: true, colours: 64 })
  .toFile("docs/ui-pages.png");
