/** viva data list and show through the command line. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { datasets } from "../../src/data/index.ts";
import { temporaryFolder, vivaOk } from "./command-line.ts";
import { writeFilms } from "./tiny-run.ts";

const folder = temporaryFolder();

it("lists what is known", async () => {
  const { stdout } = await vivaOk(folder, "data", "list");
  expect(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0]),
  ).toEqual(Object.keys(datasets));
  const known = JSON.parse((await vivaOk(folder, "data", "list", "--json")).stdout);
  expect(known.map(({ name }: { name: string }) => name)).toEqual(Object.keys(datasets));
  expect(known[0]).toMatchObject({ description: expect.any(String), licence: "CC0-1.0", obtain: expect.any(String) });
});

it("shows what is in a set, for people and as JSON", async () => {
  const data = await writeFilms(join(folder, "films"));
  const show = ["data", "show", "jsonl", "--path", data, "--split", "test"];
  expect((await vivaOk(folder, ...show)).stdout).toMatch(
    /^jsonl: your own data.*\nlicence: yours\nhow to get it: .*\n/,
  );
  const counts = JSON.parse((await vivaOk(folder, ...show, "--json")).stdout);
  expect(counts).toMatchObject({ name: "jsonl", licence: "yours", examples: 4, subjects: 4, images: 4 });
  expect(JSON.parse((await vivaOk(folder, "data", "show", "slake", "--json")).stdout)).toMatchObject({
    name: "slake",
  });
});
