/**
 * An image to look at closely: window and level on the stored values, zoom to the cursor, pan, invert, rotate, and the
 * pixels as the model is given them. Dragging changes window (across) and level (down); Shift-drag or two fingers pan.
 */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { setValues } from "../address.ts";
import { useKeys } from "../keys.ts";
import { type Pixels, readPixels } from "../source.ts";
import { useData } from "../use-data.ts";
import { autoWindow, fullWindow, histogramOf, presets, renderWindowed, type Window } from "./window-level.ts";

interface ViewerProps {
  readonly run: string;
  readonly sha256: string;
  /** From the address: "width,level". */
  readonly wl: string | undefined;
  readonly view: "stored" | "model";
}

interface Place {
  readonly zoom: number;
  readonly x: number;
  readonly y: number;
}

const FIT: Place = { zoom: 1, x: 0, y: 0 };

export function Viewer({ run, sha256, wl, view }: ViewerProps) {
  const { value: pixels, error } = useData(`${run} ${sha256} ${view}`, () => readPixels(run, sha256, view));
  if (error !== null) return <p class="notice">{error}</p>;
  if (pixels === null) return <p class="muted">loading the image …</p>;
  return <Viewport pixels={pixels} wl={wl} view={view} />;
}

function Viewport({ pixels, wl, view }: { readonly pixels: Pixels } & Pick<ViewerProps, "wl" | "view">) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [place, setPlace] = useState(FIT);
  const [invert, setInvert] = useState(false);
  const [turns, setTurns] = useState(0);
  const [smooth, setSmooth] = useState(false);
  const [grid, setGrid] = useState(true);
  const initial = useMemo(() => (pixels.bits === 16 ? autoWindow(pixels) : fullWindow(pixels)), [pixels]);
  const given = parseWindow(wl) ?? initial;
  const most = pixels.bits === 16 ? 65_535 : 255;
  const choose = (next: Window) => {
    const width = Math.round(Math.min(most + 1, Math.max(1, next.width)));
    const level = Math.round(Math.min(most, Math.max(0, next.level)));
    setValues({ wl: `${width},${level}` });
  };
  const source = useMemo(() => renderWindowed(pixels, given, invert), [pixels, given.width, given.level, invert]);
  useEffect(() => {
    const element = canvas.current!;
    const draw = () => paint(element, source, { place, turns, smooth, ...(view === "model" && grid ? { pixels } : {}) });
    draw();
    const resize = new ResizeObserver(draw);
    resize.observe(element);
    return () => resize.disconnect();
  }, [source, place, turns, smooth, grid, view]);
  const zoom = (factor: number, at = { x: 0, y: 0 }) => {
    setPlace((old) => {
      const next = Math.min(40, Math.max(0.2, old.zoom * factor));
      const ratio = next / old.zoom;
      return { zoom: next, x: at.x - (at.x - old.x) * ratio, y: at.y - (at.y - old.y) * ratio };
    });
  };
  useEffect(() => {
    const element = canvas.current!;
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, fromMiddle(element, event));
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, []);
  const down = (start: PointerEvent) => {
    const element = canvas.current!;
    element.setPointerCapture(start.pointerId);
    const [from, old] = [given, place];
    const move = (event: PointerEvent) => {
      const [dx, dy] = [event.clientX - start.clientX, event.clientY - start.clientY];
      if (start.shiftKey || start.button === 1) setPlace({ ...old, x: old.x + dx, y: old.y + dy });
      else choose({ width: from.width + (dx * initial.width) / 200, level: from.level + (dy * initial.width) / 200 });
    };
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerup", () => element.removeEventListener("pointermove", move), { once: true });
    element.addEventListener("pointercancel", () => element.removeEventListener("pointermove", move), { once: true });
  };
  const nudge = (width: number, level: number) => choose({ width: given.width + width, level: given.level + level });
  const shown = presets(pixels);
  useKeys([
    { key: "i", about: "image: invert", act: () => setInvert(!invert) },
    { key: "r", about: "image: turn by 90°", act: () => setTurns((turns + 1) % 4) },
    { key: "=", about: "image: fit", act: () => setPlace(FIT) },
    { key: "+", about: "image: closer", act: () => zoom(1.25) },
    { key: "-", about: "image: farther", act: () => zoom(0.8) },
    ...shown.map(({ name, window }, i) => ({
      key: String(i + 1),
      about: `image: ${name}`,
      act: () => choose(window()),
    })),
    ...[1, 10].flatMap((by) => {
      const shift = by === 10 ? "Shift+" : "";
      return [
        { key: `${shift}ArrowUp`, about: `image: level +${by}`, act: () => nudge(0, by) },
        { key: `${shift}ArrowDown`, about: `image: level −${by}`, act: () => nudge(0, -by) },
        { key: `${shift}ArrowRight`, about: `image: window +${by}`, act: () => nudge(by, 0) },
        { key: `${shift}ArrowLeft`, about: `image: window −${by}`, act: () => nudge(-by, 0) },
      ];
    }),
  ]);
  const about = view === "model" ? `as the model is given it: ${pixels.tokens} tokens` : `${pixels.bits} bits`;
  return (
    <div class="viewer">
      <canvas
        ref={canvas}
        onPointerDown={down}
        onDblClick={() => setPlace(FIT)}
        role="img"
        aria-label={`Image of ${pixels.width} × ${pixels.height} pixels, ${about}, window ${given.width}, level ${given.level}`}
      />
      <div class="controls">
        <p>
          {pixels.width} × {pixels.height}, {about}
          {pixels.channels === 3 && view === "stored" && ", colour: window and level are a display adjustment"}
        </p>
        <Values pixels={pixels} window={given} />
        <label>
          window{" "}
          <input
            type="range"
            min="1"
            max={most + 1}
            value={given.width}
            onInput={(e) => choose({ ...given, width: Number(e.currentTarget.value) })}
          />
          <input
            type="number"
            aria-label="window"
            min="1"
            max={most + 1}
            value={given.width}
            onChange={(e) => choose({ ...given, width: Number(e.currentTarget.value) })}
          />
        </label>
        <label>
          level{" "}
          <input
            type="range"
            min="0"
            max={most}
            value={given.level}
            onInput={(e) => choose({ ...given, level: Number(e.currentTarget.value) })}
          />
          <input
            type="number"
            aria-label="level"
            min="0"
            max={most}
            value={given.level}
            onChange={(e) => choose({ ...given, level: Number(e.currentTarget.value) })}
          />
        </label>
        <div class="buttons">
          {shown.map(({ name, window }) => (
            <button type="button" key={name} onClick={() => choose(window())}>
              {name}
            </button>
          ))}
          <button type="button" aria-pressed={invert} onClick={() => setInvert(!invert)}>
            invert
          </button>
          <button type="button" onClick={() => setTurns((turns + 1) % 4)}>
            turn
          </button>
          <button type="button" onClick={() => setPlace(FIT)}>
            fit
          </button>
          <button type="button" onClick={() => zoom(1.25)} aria-label="closer">
            +
          </button>
          <button type="button" onClick={() => zoom(0.8)} aria-label="farther">
            −
          </button>
          <button type="button" aria-pressed={smooth} onClick={() => setSmooth(!smooth)}>
            smooth
          </button>
          {view === "model" && (
            <button type="button" aria-pressed={grid} onClick={() => setGrid(!grid)}>
              patches
            </button>
          )}
        </div>
      </div>
    </div>
  );
}

/** How the values are spread, with the window on them. */
function Values({ pixels, window }: { readonly pixels: Pixels; readonly window: Window }) {
  const { counts, low, high } = useMemo(() => histogramOf(pixels, 64), [pixels]);
  const most = Math.max(...counts.map((count) => Math.sqrt(count)));
  const x = (value: number) => (128 * (value - low)) / (high - low || 1);
  const [from, to] = [window.level - window.width / 2, window.level + window.width / 2];
  return (
    <svg class="values" viewBox="0 0 128 30" preserveAspectRatio="none" aria-hidden="true">
      {counts.map((count, i) => (
        <rect key={i} x={i * 2} width="1.8" y={30 - (30 * Math.sqrt(count)) / most} height="30" />
      ))}
      <polyline points={`${x(from)},30 ${x(to)},0`} />
    </svg>
  );
}

function paint(
  canvas: HTMLCanvasElement,
  source: HTMLCanvasElement,
  o: { readonly place: Place; readonly turns: number; readonly smooth: boolean; readonly pixels?: Pixels },
): void {
  const scale = devicePixelRatio;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = canvas.getContext("2d")!;
  const sides = o.turns % 2 === 0 ? [source.width, source.height] : [source.height, source.width];
  const fit = Math.min(width / sides[0]!, height / sides[1]!) * o.place.zoom;
  context.setTransform(scale, 0, 0, scale, (width / 2 + o.place.x) * scale, (height / 2 + o.place.y) * scale);
  context.rotate((o.turns * Math.PI) / 2);
  context.scale(fit, fit);
  context.imageSmoothingEnabled = o.smooth;
  context.drawImage(source, -source.width / 2, -source.height / 2);
  if (o.pixels?.patch === undefined) return;
  context.translate(-source.width / 2, -source.height / 2);
  for (const [side, alpha] of [
    [o.pixels.patch, 0.25],
    [o.pixels.token ?? o.pixels.patch, 0.8],
  ] as const) {
    context.strokeStyle = `rgba(255, 196, 0, ${alpha})`;
    context.lineWidth = 1 / fit;
    context.beginPath();
    for (let x = 0; x <= source.width; x += side) context.rect(x, 0, 0, source.height);
    for (let y = 0; y <= source.height; y += side) context.rect(0, y, source.width, 0);
    context.stroke();
  }
}

function fromMiddle(element: HTMLElement, event: MouseEvent): { readonly x: number; readonly y: number } {
  const box = element.getBoundingClientRect();
  return { x: event.clientX - box.left - box.width / 2, y: event.clientY - box.top - box.height / 2 };
}

function parseWindow(text: string | undefined): Window | null {
  const [width, level] = (text ?? "").split(",").map(Number);
  return width! > 0 && Number.isFinite(level) ? { width: width!, level: level! } : null;
}
