import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { type Finished, filesBelow, root, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { set } from "./mistakes.ts";
import { tinyRecipe, writeRecipe, writeRows, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const at = (...path: string[]) => join(folder, ...path);
const goldens = join(root, "test/golden/dicom");
/** What every file of the goldens says of the patient: name, id, birth date, and the uids of study and object. */
const canary = /CANARY|19010101|1\.2\.826\.0\.1\.3680043/;
const names = readdirSync(goldens).filter((name) => name.endsWith(".dcm"));
/** Their texts say CANARY PATIENT. */
const volumes = join(root, "test/golden/nifti");
const scans = ["lps_float.nii.gz", "ras.nii"];
const said: string[] = [];

/** Runs a command and keeps what it said. */
async function run(...args: string[]): Promise<Finished> {
  const finished = await vivaOk(folder, ...args);
  said.push(finished.stdout, finished.stderr);
  return finished;
}

beforeAll(() => {
  process.env["XDG_CONFIG_HOME"] = at("config");
  process.env["VIVA_CACHE"] = at("cache");
  mkdirSync(at("films"));
  for (const name of names) cpSync(join(goldens, name), at("films", name));
  for (const name of scans) cpSync(join(volumes, name), at("films", name));
  const rows = [...scans, ...names].map((name, i) => ({
    image: /^frames|nii/.test(name) ? `${name}#frame=${1 + (i % 3)}` : name,
    question: i % 2 === 0 ? "Is the film bright?" : "Is it dark?",
    answer: i % 3 === 0 ? "yes" : "no",
  }));
  writeRows(at("films", "train.jsonl"), rows.slice(0, -7));
  writeRows(at("films", "test.jsonl"), [...rows.slice(-7), ...rows.filter(({ image }) => /^frames|nii/.test(image))]);
  const recipe = tinyRecipe({ model: writeTinyModel(at("model")), data: at("films") });
  const { train, eval: evaluation } = recipe.data;
  const data = { train: { ...train, window: "lung" }, eval: { ...evaluation, window: "lung" }, allow_overlap: true };
  writeRecipe(at("films.yaml"), { ...recipe, data });
});

it("trains, evaluates and reports on DICOM and NIfTI images, and leaves nothing of the patient in any file or message", async () => {
  await run("train", "films.yaml", "--run", "run");
  const conditions = async (...window: readonly string[]) => {
    const asked = ["--data", "jsonl", "--path", "films", "--allow-overlap", ...window, "--json"];
    const { stdout } = await run("eval", "run", ...asked, "--out", "eval.jsonl");
    return JSON.parse(stdout).conditions;
  };
  const own = await conditions();
  expect(own).toEqual(await conditions("--window", "lung"));
  expect(own).not.toEqual(await conditions("--window", "40,400"));
  await run("report", "run");
  const asked = ["films/frames.dcm#frame=2", "films/ras.nii#frame=2"];
  writeRows(
    at("rows.jsonl"),
    asked.map((image) => ({ image, question: "Is it dark?" })),
  );
  await run("generate", "run", "--rows", "rows.jsonl", "--out", "generated.jsonl", "--max-completion-length", "2");
  const ours = filesBelow(folder).filter((file) => !/\.(dcm|nii|nii\.gz)$/.test(file));
  expect(ours).toContain("run/report.html");
  expect(ours.filter((file) => canary.test(readFileSync(at(file), "latin1")))).toEqual([]);
  expect(said.filter((text) => canary.test(text))).toEqual([]);
  expect(readFileSync(at("run/report.html"), "utf8")).toContain('<img src="data:image/webp;base64,');
  const key = readFileSync(at("config/viva/subject-key"), "utf8").trim();
  expect(ours.filter((file) => readFileSync(at(file), "latin1").includes(key))).toEqual(["config/viva/subject-key"]);
});

it("takes files of one patient for one subject, and their modality for a stratum", async () => {
  const { stdout } = await run("data", "show", "jsonl", "--path", "films", "--no-leaks", "--json");
  expect(JSON.parse(stdout)).toMatchObject({
    subjects: 1 + scans.length, // a volume's rows are one subject, its file
    strata: {
      modality: [
        ["CT", names.length + 2],
        ["(none)", 2 * scans.length],
      ],
    },
  });
  const recipe = ["data.allow_overlap=false"];
  const { stderr } = await viva(folder, "train", "films.yaml", "--run", "shared", ...set(...recipe));
  expect(stderr).toMatch(
    /shares with the training data 3 subjects \(dicom-[0-9a-f]{16}, lps_float\.nii\.gz, ras\.nii\)/,
  );
});

it.each([
  ["cut short", (bytes: Buffer) => bytes.subarray(0, -300), /bad\.dcm is a damaged DICOM file: replace it/],
  ["without its size", (bytes: Buffer) => blanked(bytes, "28001000"), /bad\.dcm is a DICOM file that does not say its/],
])("a file that is %s is one sentence without the patient, with a trace too", async (_, change, message) => {
  mkdirSync(at("bad"), { recursive: true });
  writeFileSync(at("bad", "bad.dcm"), change(readFileSync(join(goldens, "ct.dcm"))));
  writeRows(at("bad", "train.jsonl"), [{ image: "bad.dcm", question: "Is it dark?", answer: "no" }]);
  const options = ["data.train.path=bad", "data.eval=null", "evaluate=null"];
  process.env["VIVA_DEBUG"] = "1";
  const { code, stderr } = await viva(folder, "train", "films.yaml", "--run", "bad-run", ...set(...options));
  delete process.env["VIVA_DEBUG"];
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(canary);
});

/** The file with zeros for the value of a two-byte element, whose tag is given as it stands in the file. */
function blanked(bytes: Buffer, tag: string): Buffer {
  const at = bytes.indexOf(tag, undefined, "hex");
  return Buffer.concat([bytes.subarray(0, at + 8), Buffer.alloc(2), bytes.subarray(at + 10)]);
}
