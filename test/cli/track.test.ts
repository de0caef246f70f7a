/** Runs in a tracker that needs no server: while they go, killed and resumed, and later. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { isTimingKey } from "../../src/runs/metrics.ts";
import { readEventFile } from "../track/event-file.ts";
import { filesBelow, interrupted, jsonLines, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const recipe = { ...tinyRecipe({ model: "model", data: "films" }), track: [{ to: "tensorboard" }] };
const rows = (run: string) => {
  const file = join(folder, run, "metrics.jsonl");
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").length - 1 : 0;
};

/** The numbers of metrics.jsonl in the order of the tags and steps, as 32 bits; clock readings where `timed`. */
function expectSameNumbers(run: string, timed: boolean): void {
  const isKept = (tag: string) => tag !== "step" && !tag.startsWith("eval/") && (timed || !isTimingKey(tag));
  const recorded = jsonLines(folder, run, "metrics.jsonl").flatMap(({ step, ...metrics }) =>
    Object.entries(metrics).flatMap(([tag, value]) =>
      typeof value === "number" ? [[tag, step, Math.fround(value)]] : [],
    ),
  );
  const { scalars } = readEventFile(join(folder, run, "tensorboard"));
  const tracked = scalars.map(([tag, step, value]) => [tag, step, value] as const).filter(([tag]) => isKept(tag));
  expect(tracked).toEqual(recorded.filter(([tag]) => isKept(tag as string)));
  const evaluations = scalars.filter(([tag]) => tag === "eval/overall/accuracy").map(([, step]) => step);
  expect(evaluations).toEqual([0, 3, 4, 6, 8]);
}

beforeAll(async () => {
  writeTinyModel(join(folder, "model"));
  await writeFilms(join(folder, "films"));
  writeRecipe(join(folder, "tracked.yaml"), recipe);
  await vivaOk(folder, "train", "tracked.yaml", "--run", "whole");
});

describe("a run with a tracker", () => {
  it("has every number there at its end", () => expectSameNumbers("whole", true));

  it("has each step once, killed twice and resumed", async () => {
    for (const count of [3, 7]) {
      const args = rows("killed") > 0 ? ["--resume"] : ["tracked.yaml"];
      const when = () => rows("killed") >= count;
      await interrupted(folder, ["train", ...args, "--run", "killed"], { signal: "SIGKILL", when });
    }
    await vivaOk(folder, "train", "--run", "killed", "--resume");
    expectSameNumbers("killed", false);
  });
});

describe("viva track", () => {
  it("hands over nothing twice", async () => {
    const again = await vivaOk(folder, "track", "whole", "--to", "tensorboard", "--json");
    expect(JSON.parse(again.stdout)).toEqual({
      ...{ to: "tensorboard", at: join(folder, "whole/tensorboard") },
      ...{ steps: 0, evaluations: 0, samples: 0, ended: true },
    });
    expectSameNumbers("whole", true);
  });

  it("hands a finished run over to another tracker", async () => {
    const { stdout } = await vivaOk(folder, "track", "whole", "--to", "wandb", "--follow");
    expect(stdout).toMatch(/^wandb at .*whole\/wandb: 8 steps, 5 evaluations, 1 sample; the run is complete there\n$/);
    const files = filesBelow(join(folder, "whole/wandb"));
    expect(files).toContainEqual(
      expect.stringMatching(/^offline-run-\d{8}_\d{6}-[0-9a-f]{8}\/run-[0-9a-f]{8}\.wandb$/),
    );
  });

  it.each([
    [["whole", "--to", "mlflow"], "track: --at needs the server's address"],
    [
      ["whole", "--to", "mlflow", "--at", "http://me:secret@127.0.0.1"],
      "leave passwords and tokens out of the address",
    ],
    [["whole", "--to", "trackio", "--at", "http://127.0.0.1:1"], "set TRACKIO_WRITE_TOKEN"],
  ])("refuses %j", async (args, message) => {
    const { code, stderr } = await viva(folder, "track", ...args);
    expect(stderr).toMatch(/^error: .+\n$/);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("secret@");
    expect(code).toBe(2);
  });

  it("tells of a server that is not there in one sentence; a run goes on without it", async () => {
    const gone = await viva(folder, "track", "whole", "--to", "mlflow", "--at", "http://127.0.0.1:59999");
    expect([gone.code, gone.stderr]).toEqual([1, "error: http://127.0.0.1:59999 cannot be reached: ECONNREFUSED\n"]);
    const short = ["--set", "stages.0.steps=1", "--set", "stages.1.steps=1", "--set", "evaluate=null"];
    const track = 'track=[{ to: mlflow, at: "http://127.0.0.1:59999" }]';
    const { stderr } = await vivaOk(folder, "train", "tracked.yaml", "--run", "alone", "--set", track, ...short);
    expect(stderr).toContain("warning: mlflow: http://127.0.0.1:59999 cannot be reached");
    expect(stderr).toContain("viva track");
  });
});
