/** The first frame of a GIF as Pillow shows it: transparent pixels keep their colour, and what the frame leaves free has one. */

/** A GIF whose first frame is opaque, where that frame lies, and the colour around it. */
export interface OpaqueGif {
  readonly bytes: Uint8Array;
  readonly frame: { readonly left: number; readonly top: number; readonly width: number; readonly height: number };
  readonly around: readonly [red: number, green: number, blue: number];
}

/** Clears the transparency flag before the first frame; null for what is no whole GIF, which a decoder then refuses. */
export function opaqueGif(file: Uint8Array): OpaqueGif | null {
  const bytes = Uint8Array.from(file);
  const view = new DataView(bytes.buffer);
  let transparent = 0;
  let at = 13 + tableBytes(bytes[10]!);
  while (at + 10 < bytes.length) {
    if (bytes[at] === 0x21) {
      if (bytes[at + 1] === 0xf9 && (bytes[at + 3]! & 1) === 1) {
        transparent = bytes[at + 6]!;
        bytes[at + 3]! &= ~1;
      }
      for (at += 2; bytes[at] !== 0; at += 1 + bytes[at]!) if (at >= bytes.length) return null;
      at++;
    } else if (bytes[at] === 0x2c) {
      const [left, top, width, height] = [1, 3, 5, 7].map((offset) => view.getUint16(at + offset, true)) as Four;
      const palette = (bytes[at + 9]! & 0x80) === 0 ? 13 : at + 10;
      const colour = bytes.subarray(palette + 3 * transparent, palette + 3 * transparent + 3);
      const around = [colour[0] ?? 0, colour[1] ?? 0, colour[2] ?? 0] as const;
      return { bytes, frame: { left, top, width, height }, around };
    } else return null;
  }
  return null;
}

/** Fills what the frame leaves free, in place; `data` is RGB, row by row. */
export function fillAround(data: Uint8Array, width: number, { frame, around }: OpaqueGif): void {
  const { left, top } = frame;
  for (let i = 0; i < data.length / 3; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    if (x >= left && x < left + frame.width && y >= top && y < top + frame.height) continue;
    data.set(around, 3 * i);
  }
}

type Four = [number, number, number, number];

const tableBytes = (packed: number) => ((packed & 0x80) === 0 ? 0 : 3 * 2 ** ((packed & 7) + 1));
