/** Which of a volume's axes run to the patient's right, front and head: those next to them, nothing is resampled. */

export type Vector = readonly [number, number, number];

/** How a header says that a volume lies: the first of these that is there counts, as in nibabel. */
export interface Orientation {
  /** The rows of the affine from voxels to right, front and head, without the shift. */
  readonly sform: readonly [Vector, Vector, Vector] | null;
  /** b, c, d of a unit quaternion. */
  readonly quaternion: Vector | null;
  readonly zooms: Vector;
  /** −1 where the third axis is mirrored (of the quaternion's alone). */
  readonly handedness: 1 | -1;
}

/** For right, front and head: which axis of the file runs along it, and whether it runs the other way. */
export type SliceAxes = readonly [Axis, Axis, Axis];

export interface Axis {
  readonly axis: 0 | 1 | 2;
  readonly reversed: boolean;
}

const ORDERS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
] as const;

/** Null where the header's numbers give no directions. */
export function axesOf(orientation: Orientation): SliceAxes | null {
  const rows = orientation.sform ?? rowsOf(orientation);
  const lengths = [0, 1, 2].map((axis) => Math.hypot(...rows.map((row) => row[axis]!)));
  if (!lengths.every((length) => Number.isFinite(length) && length > 0)) return null;
  const along = (direction: number, axis: number) => rows[direction]![axis]! / lengths[axis]!;
  const closeness = (order: readonly number[]) => order.reduce((sum, axis, i) => sum + Math.abs(along(i, axis)), 0);
  const order = ORDERS.reduce((best, next) => (closeness(next) > closeness(best) ? next : best));
  return order.map((axis, i) => ({ axis, reversed: along(i, axis) < 0 })) as unknown as SliceAxes;
}

function rowsOf({ quaternion, zooms, handedness }: Orientation): readonly [Vector, Vector, Vector] {
  const [dx, dy, dz] = zooms.map((zoom) => Math.abs(zoom) || 1) as unknown as Vector;
  if (quaternion === null) {
    // Without a word about it the first axis runs to the left (nibabel's base affine).
    return [
      [-dx, 0, 0],
      [0, dy, 0],
      [0, 0, dz],
    ];
  }
  const [b, c, d] = quaternion;
  const a = Math.sqrt(Math.max(0, 1 - b * b - c * c - d * d));
  const z = handedness * dz;
  return [
    [(a * a + b * b - c * c - d * d) * dx, 2 * (b * c - a * d) * dy, 2 * (b * d + a * c) * z],
    [2 * (b * c + a * d) * dx, (a * a + c * c - b * b - d * d) * dy, 2 * (c * d - a * b) * z],
    [2 * (b * d - a * c) * dx, 2 * (c * d + a * b) * dy, (a * a + d * d - b * b - c * c) * z],
  ];
}
