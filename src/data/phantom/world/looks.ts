/**
 * Questions that need a closer look: is there a nodule, and how large is it, of nodules 3 to 6 pixels across where the image
 * has 112 and its original 448. The rationale calls `crop` where the nodule lies, or at a place where one could; models learn
 * from it to use the tool (supervised stages with an environment).
 */
import { flag } from "../../../core/fields.ts";
import { fold, integer, type RandomKey, randomKey, uniform } from "../../../core/random.ts";
import type { Example } from "../../../core/records.ts";
import { imagePoint } from "./canvas.ts";
import { DIALS_OFF, dialId, patientDials } from "./dials/dials.ts";
import { dialledFindings, withSmallNodules } from "./dials/findings.ts";
import { poseOf } from "./draw.ts";
import { whatItIs } from "./rationale.ts";
import { placeFindings, type Scene } from "./scene.ts";
import { views } from "./views.ts";
import { findingFacts, generatedSet, imageOf, viewFacts, type WorldOptions } from "./world.ts";

const own = {
  calls: flag().default(true).describe("Whether the rationale looks closer with crop; else it states what there is."),
};

export const phantomLooks = generatedSet(
  {
    name: "phantom_looks",
    description: "Phantom looks: is there a nodule of 3 to 6 pixels, and how large; originals to look into with tools",
  },
  { train: 4000, validation: 500, test: 1000 },
  (seed, split, index, o, { calls }) => lookAt(seed, split, index, o, calls),
  own,
);

/** Sides of the part that is looked at, in pixels of the 112 shown: as many pixels of the original as the whole image has. */
const LOOK = 28;
/** Millimetres within which a stated size is right: half a pixel of what is shown. */
const TOLERANCE = 1.5;

function lookAt(seed: number, split: string, index: number, given: WorldOptions, calls: boolean): Example | null {
  const dials = { ...(given.dials ?? DIALS_OFF), small_nodules: true, high_resolution: true, measured: true };
  const o = { ...given, dials };
  const key = fold(randomKey(seed, "phantom_looks", split), index);
  const kind = index % 3 === 0 ? "size" : "presence";
  const view = views[uniform(fold(key, "view"), 0) < 0.5 ? "chest_xray" : "chest_ct"];
  if (dials.modality !== null && dials.modality !== view.modality) return null;
  const nodule = view.findings.find(({ name }) => name === "nodule")!;
  const isThere = kind === "size" || uniform(fold(key, "there"), 0) < 0.5;
  const patient = patientDials(dials, index, key);
  const pose = poseOf(key, o.difficulty);
  const wanted = withSmallNodules(isThere ? [{ kind: nodule }] : [], pose, fold(key, "size"));
  const placed = placeFindings(view, wanted, [], o.difficulty, fold(key, "place"));
  const scene: Scene = { view, sequence: null, findings: dialledFindings(placed, dials, patient.contrast, key) };
  const findings = findingFacts(scene, o.difficulty, key, true);
  const mm = findings[0]?.size_mm ?? 0;
  const id = `phantom_looks:${view.name}/${seed}/${split}/${index}/${o.difficulty}/${o.imageSize}${dialId(dials)}`;
  const site = nodule.sites[integer(fold(key, "look"), 0, nodule.sites.length)]!;
  const [seen] = placed;
  const point = imagePoint(pose, seen?.u ?? site.u, seen?.v ?? site.v);
  const look = cropCall(point, o.imageSize, key);
  const finds = isThere ? `There is a nodule of ${mm} mm.` : "There is no nodule.";
  const first = whatItIs(view.name, view.plane, null);
  const rest = kind === "size" ? `${mm} mm` : isThere ? "yes" : "no";
  return {
    id,
    subjectId: `phantom_looks:${seed}/${split}/${index}`,
    question: kind === "size" ? "How large is the nodule in mm?" : "Is there a nodule?",
    images: [imageOf(id, scene, o, patient, key)],
    answer: rest,
    answerType: kind === "size" ? "numeric" : "closed",
    choices: [],
    ...(kind === "size" ? { target: { value: mm, unit: "mm", tolerance: TOLERANCE } } : {}),
    rationale: calls ? `${first} ${look} ${finds}` : `${first} ${finds}`,
    facts: { ...viewFacts(scene), findings },
    meta: {
      split,
      modality: view.modality,
      organ: view.organ,
      question_type: kind,
      needs_tools: "yes",
      ...patient.meta,
    },
  };
}

/** A box of the side that is looked at, about a point but not always in its middle, inside the image. */
function cropCall({ x, y }: { readonly x: number; readonly y: number }, size: number, key: RandomKey): string {
  const side = (LOOK * size) / 112;
  const shift = (counter: number) => (uniform(fold(key, "shift"), counter) - 0.5) * 0.4 * side;
  const from = (centre: number, by: number) =>
    Math.round(Math.max(0, Math.min(size - side, centre * size - side / 2 + by)));
  const [left, top] = [from(x, shift(0)), from(y, shift(1))];
  const call = `{"name": "crop", "arguments": {"box": [${[left, top, left + side, top + side].join(", ")}]}}`;
  return `<tool_call>${call}</tool_call>`;
}
