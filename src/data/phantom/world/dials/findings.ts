/** Dials of what an image shows: how many findings, how large, how dense. */
import { fold, integer, type RandomKey, uniform } from "../../../../core/random.ts";
import type { Pose } from "../canvas.ts";
import type { Finding, Wanted } from "../scene.ts";
import type { FindingKind } from "../views.ts";
import type { Dials } from "./dials.ts";

/** From none to `most` further findings, evenly; only countable kinds come more than once. */
export function extraKinds(free: readonly FindingKind[], most: number, key: RandomKey): readonly FindingKind[] {
  const count = most > 0 ? integer(key, 0, most + 1) : 0;
  const chosen: FindingKind[] = [];
  for (let i = 1; i <= count; i++) {
    const left = free.filter((kind) => kind.countable || !chosen.includes(kind));
    if (left.length > 0) chosen.push(left[integer(key, i, left.length)]!);
  }
  return chosen;
}

/** Nodules of 3 to 6 pixels across at 112 pixels; the smaller of a comparison has 3, the larger 6. */
export function withSmallNodules(wanted: readonly Wanted[], pose: Pose, key: RandomKey): readonly Wanted[] {
  const own = fold(key, "small");
  return wanted.map((want, i) => {
    if (want.kind.name !== "nodule") return want;
    return { ...want, radius: (3 + 3 * (want.size ?? uniform(own, i))) / (112 * pose.width) };
  });
}

/** Findings with their densities: one's own where they are measured, times the contrast of the patient's subgroup. */
export function dialledFindings(
  findings: readonly Finding[],
  { measured }: Dials,
  contrast: number,
  key: RandomKey,
): readonly Finding[] {
  if (!measured && contrast === 1) return findings;
  const own = fold(key, "density");
  return findings.map((finding, i) => ({
    ...finding,
    density: contrast * (measured ? 0.6 + 0.4 * uniform(own, i) : 1),
  }));
}
