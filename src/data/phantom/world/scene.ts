/** A scene: a view with placed findings; it determines the drawing and its facts. */
import { fold, integer, permutation, type RandomKey } from "../../../core/random.ts";
import { draws } from "./draws.ts";
import type { FindingKind, Sequence, Side, Site, View } from "./views.ts";

/** A placed finding; lengths in body units. */
export interface Finding {
  readonly kind: FindingKind;
  readonly site: Site;
  readonly u: number;
  readonly v: number;
  readonly radius: number;
  /** Contrast of findings that are painted, 0 to 1; default 1. Shapes (hydrocephalus, midline shift …) have none. */
  readonly density?: number | undefined;
}

export interface Scene {
  readonly view: View;
  /** For MR only. */
  readonly sequence: Sequence | null;
  readonly findings: readonly Finding[];
}

/** A question's requirement on a finding; unset fields are free. */
export interface Wanted {
  readonly kind: FindingKind;
  readonly side?: Side;
  readonly place?: string;
  /** Position within the kind's range of radii, 0 to 1; free if unset. */
  readonly size?: number;
  /** Radius in body units, whatever the kind's range. */
  readonly radius?: number;
}

/**
 * Places the wanted findings, then the `extra` findings; an extra finding without a
 * free place is dropped (a wanted one throws an `internal:` error). Hard images have smaller findings.
 */
export function placeFindings(
  view: View,
  wanted: readonly Wanted[],
  extra: readonly Wanted[],
  difficulty: number,
  key: RandomKey,
): readonly Finding[] {
  const taken = new Set<string>();
  const placed: Finding[] = [];
  for (const [i, want] of [...wanted, ...extra].entries()) {
    const { kind, side, place, size, radius: wantedRadius } = want;
    const own = fold(key, i);
    const free = kind.sites.filter(
      (site) =>
        (side === undefined || site.side === side) &&
        (place === undefined || site.place === place) &&
        !site.takes.some((part) => taken.has(part)),
    );
    if (free.length === 0 && i < wanted.length) {
      throw new Error(`internal: placeFindings: no free place for ${kind.name} in ${view.name}`);
    }
    if (free.length === 0) continue;
    const site = free[integer(own, 0, free.length)]!;
    for (const part of site.takes) taken.add(part);
    const draw = draws(fold(own, "place"));
    const { radius, sites } = kind;
    const shrink = sites.length > 0 ? 1.15 - 0.35 * difficulty : 1;
    placed.push({
      kind,
      site,
      u: site.u + draw.spread(site.jitterU),
      v: site.v + draw.spread(site.jitterV),
      radius: wantedRadius ?? shrink * (radius[0] + (size ?? draw.between(0, 1)) * (radius[1] - radius[0])),
    });
  }
  return placed;
}

/** Up to `count` of the kinds, in random order. */
export function pickKinds(kinds: readonly FindingKind[], count: number, key: RandomKey): readonly FindingKind[] {
  return Array.from(permutation(key, kinds.length).slice(0, count), (i) => kinds[i]!);
}
