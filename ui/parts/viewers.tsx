/**
 * Images to look at closely, one or several side by side: window and level on the stored values, zoom to the cursor, pan,
 * invert, turn, regions, and the pixels as the model is given them. Dragging changes window (across) and level (down);
 * Shift-drag pans. Linked ones are moved and windowed together.
 */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { address, setValues } from "../address.ts";
import { useKeys } from "../keys.ts";
import { type Pixels, readPixels } from "../source.ts";
import { useData } from "../use-data.ts";
import { Button, Check } from "./controls.tsx";
import { FIT, type Look, paint, type Region, rendererOf, zoomed, zoomOfOne } from "./paint.ts";
import { Problem } from "./ways.tsx";
import { allowedWindow, firstWindow, grainOf, histogramOf, parseWindow, presets, rangeOf, type Window } from "./window-level.ts";

export interface ShownImage {
  readonly sha256: string;
  readonly view?: "stored" | "model";
  readonly label?: string;
  readonly regions?: readonly Region[];
  /** What is known of it where its file does not say it. */
  readonly modality?: string;
}

interface ViewersProps {
  readonly run: string;
  readonly images: readonly ShownImage[];
  /** The page's main images: their window is in the address, and the keys are theirs. */
  readonly main?: boolean;
}

export function Viewers({ run, images, main = false }: ViewersProps) {
  const key = images.map(({ sha256, view = "stored" }) => `${sha256} ${view}`).join(" ");
  const asked = useData(`${run} ${key}`, () =>
    Promise.all(
      images.map(async (image) => {
        return readPixels(run, image.sha256, image.view ?? "stored").catch((error: unknown) => String((error as Error).message));
      }),
    ),
  );
  if (asked.value === null) return <p class="muted">loading the image …</p>;
  const problems = asked.value.filter((found) => typeof found === "string");
  const found = asked.value.flatMap((pixels, i) => (typeof pixels === "string" ? [] : [{ pixels, ...images[i]! }]));
  return (
    <>
      {problems.map((text) => (
        <Problem key={text} text={text} />
      ))}
      {found.length > 0 && <Panel key={key} shown={found} main={main} />}
    </>
  );
}

type Shown = ShownImage & { readonly pixels: Pixels };
const START: Look = { ...FIT, turns: 0, invert: false };

function Panel({ shown, main }: { readonly shown: readonly Shown[]; readonly main: boolean }) {
  const wl = main ? address.value.values["wl"] : undefined;
  const [looks, setLooks] = useState<readonly Look[]>(shown.map(() => START));
  const [windows, setWindows] = useState<readonly (Window | null)[]>(shown.map(() => parseWindow(wl)));
  const [linked, setLinked] = useState(true);
  const [active, setActive] = useState(0);
  const [smooth, setSmooth] = useState(false);
  const [drawings, setDrawings] = useState(true);
  const first = windows[0];
  const written = first == null ? null : `${first.width},${first.level}`;
  const known = useRef(wl); // what the address is known to say: its own words are no reason to take the window back
  useEffect(() => {
    if (wl === known.current) return;
    known.current = wl;
    setWindows(shown.map(() => parseWindow(wl)));
  }, [wl]);
  useEffect(() => {
    if (!main || written === null || written === wl) return;
    const write = () => {
      known.current = written;
      setValues({ wl: written });
    };
    const timer = setTimeout(write, 120); // the address waits for the end of a drag
    return () => clearTimeout(timer);
  }, [written]);
  const initial = useMemo(() => shown.map(({ pixels }) => firstWindow(pixels)), [shown]);
  const windowOf = (i: number) => windows[i] ?? initial[i]!;
  const isMoved = (i: number, by: number) => i === by || linked;
  const change = (by: number, next: (look: Look) => Look) => setLooks(looks.map((look, i) => (isMoved(i, by) ? next(look) : look)));
  const choose = (by: number, window: Window) => {
    const isWindowed = (i: number) => isMoved(i, by) && isAlike(shown[i]!.pixels, shown[by]!.pixels);
    setWindows(windows.map((old, i) => (isWindowed(i) ? allowedWindow(shown[i]!.pixels, window) : old)));
  };
  const { pixels, view = "stored", regions = [], modality } = shown[active]!;
  const nudge = (width: number, level: number) => {
    const [old, grain] = [windowOf(active), grainOf(pixels)];
    choose(active, { width: old.width + width * grain, level: old.level + level * grain });
  };
  const window = windowOf(active);
  const canvas = useRef<HTMLCanvasElement | null>(null);
  const named = useMemo(() => presets(pixels, pixels.modality ?? modality), [pixels]);
  const toggles = [
    { key: "i", about: "image: invert", act: () => change(active, (look) => ({ ...look, invert: !look.invert })) },
    { key: "r", about: "image: turn by 90°", act: () => change(active, (look) => ({ ...look, turns: (look.turns + 1) % 4 })) },
    { key: "=", about: "image: fit", act: () => change(active, (look) => ({ ...look, ...FIT })) },
    { key: "+", about: "image: closer", act: () => change(active, (look) => zoomed(look, 1.25)) },
    { key: "-", about: "image: farther", act: () => change(active, (look) => zoomed(look, 0.8)) },
    {
      key: "0",
      about: "image: 1:1",
      act: () => change(active, (look) => zoomed(look, zoomOfOne(canvas.current!, pixels, look.turns) / look.zoom)),
    },
    { key: "m", about: "image: smooth", act: () => setSmooth(!smooth) },
  ];
  const arrows = [1, 10].flatMap((by) => {
    const shift = by === 10 ? "Shift+" : "";
    return [
      { key: `${shift}ArrowUp`, about: `image: level +${by}`, act: () => nudge(0, by) },
      { key: `${shift}ArrowDown`, about: `image: level −${by}`, act: () => nudge(0, -by) },
      { key: `${shift}ArrowRight`, about: `image: window +${by}`, act: () => nudge(by, 0) },
      { key: `${shift}ArrowLeft`, about: `image: window −${by}`, act: () => nudge(-by, 0) },
    ];
  });
  const windowed = named.map(({ name, window }, i) => ({ key: String(i + 1), about: `image: ${name}`, act: () => choose(active, window) }));
  useKeys(main ? [...toggles, ...windowed.slice(0, 9), ...arrows] : []);
  return (
    <div class="viewer">
      <div class="views">
        {shown.map((one, i) => (
          <Viewport
            key={i}
            {...{ one, smooth, drawings }}
            look={looks[i]!}
            window={windowOf(i)}
            drag={initial[i]!.width}
            change={(next) => change(i, next)}
            choose={(next) => choose(i, next)}
            begin={(element) => {
              setActive(i);
              canvas.current = element;
            }}
          />
        ))}
      </div>
      <div class="controls">
        <p>
          {aboutOf(shown[active]!)}
          {pixels.channels === 3 && view === "stored" && ", colour: window and level are a display adjustment"}
        </p>
        {shown.length > 1 && <Check label="linked: moved and windowed together" checked={linked} on={setLinked} />}
        <Values pixels={pixels} window={window} />
        {(["width", "level"] as const).map((name) => (
          <Slider key={name} {...{ name, pixels, window }} on={(value) => choose(active, { ...window, [name]: value })} />
        ))}
        <div class="buttons">
          {[...windowed, ...toggles].map(({ about, act }) => (
            <Button key={about} text={about.slice("image: ".length)} on={act} />
          ))}
          {(view === "model" || regions.length > 0) && (
            <Button pressed={drawings} text={view === "model" ? "patches" : "regions"} on={() => setDrawings(!drawings)} />
          )}
        </div>
      </div>
    </div>
  );
}

/** Windows are shared by images whose values mean the same. */
function isAlike(a: Pixels, b: Pixels): boolean {
  return a.bits === b.bits && a.slope === b.slope && a.intercept === b.intercept;
}

function Slider({ name, pixels, window, on }: { name: "width" | "level"; pixels: Pixels; window: Window; on: (value: number) => void }) {
  const label = name === "width" ? "window" : "level";
  const [value, step] = [window[name], grainOf(pixels)];
  const [low, high] = pixels.slope === undefined ? [0, pixels.bits === 16 ? 65_535 : 255] : rangeOf(pixels);
  const limits =
    name === "width" ? { min: step, max: Math.max(high - low + 1, value) } : { min: Math.min(low, value), max: Math.max(high, value) };
  return (
    <label>
      {label} <input type="range" {...{ ...limits, step, value }} onInput={(event) => on(Number(event.currentTarget.value))} />
      <input type="number" aria-label={label} {...{ step, value }} onChange={(event) => on(Number(event.currentTarget.value))} />
    </label>
  );
}

interface ViewportProps {
  readonly one: Shown;
  readonly look: Look;
  readonly window: Window;
  readonly smooth: boolean;
  readonly drawings: boolean;
  /** The window that 200 pixels of dragging change by. */
  readonly drag: number;
  readonly change: (next: (look: Look) => Look) => void;
  readonly choose: (window: Window) => void;
  readonly begin: (canvas: HTMLCanvasElement) => void;
}

function Viewport({ one, look, window, smooth, drawings, drag, change, choose, begin }: ViewportProps) {
  const { pixels, view = "stored", label, regions = [] } = one;
  const canvas = useRef<HTMLCanvasElement>(null);
  const latest = useRef(change);
  latest.current = change;
  const render = useMemo(() => rendererOf(pixels), [pixels]);
  const source = useMemo(() => ({ canvas: render(window, look.invert) }), [render, window.width, window.level, look.invert]);
  useEffect(() => {
    const element = canvas.current!;
    const { patch, token = patch } = pixels;
    const grids = view === "model" && drawings && patch !== undefined ? [patch, token!] : [];
    const draw = () => paint(element, source.canvas, { look, smooth, grids, regions: drawings && view === "stored" ? regions : [] });
    draw();
    const resize = new ResizeObserver(draw);
    resize.observe(element);
    return () => resize.disconnect();
  }, [source, look, smooth, drawings, view, regions]);
  useEffect(() => {
    const element = canvas.current!;
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const box = element.getBoundingClientRect();
      const at = { x: event.clientX - box.left - box.width / 2, y: event.clientY - box.top - box.height / 2 };
      latest.current((old) => zoomed(old, event.deltaY < 0 ? 1.2 : 1 / 1.2, at));
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, []);
  const down = (start: PointerEvent) => {
    const element = canvas.current!;
    begin(element);
    element.setPointerCapture(start.pointerId);
    const move = (event: PointerEvent) => {
      const [dx, dy] = [event.clientX - start.clientX, event.clientY - start.clientY];
      if (start.shiftKey || start.button === 1) latest.current((old) => ({ ...old, x: look.x + dx, y: look.y + dy }));
      else choose({ width: window.width + (dx * drag) / 200, level: window.level + (dy * drag) / 200 });
    };
    element.addEventListener("pointermove", move);
    for (const end of ["pointerup", "pointercancel"] as const) {
      element.addEventListener(end, () => element.removeEventListener("pointermove", move), { once: true });
    }
  };
  const name = `Image of ${aboutOf(one)}, window ${window.width}, level ${window.level}, zoom ${look.zoom.toFixed(2)}`;
  return (
    <figure>
      <canvas ref={canvas} onPointerDown={down} onDblClick={() => change((old) => ({ ...old, ...FIT }))} role="img" aria-label={name} />
      {label !== undefined && <figcaption>{label}</figcaption>}
    </figure>
  );
}

function aboutOf({ pixels, view, regions = [] }: Shown): string {
  const { width, height, bits, tokens, modality, slope } = pixels;
  const units = modality === "CT" && slope !== undefined ? ", Hounsfield units" : "";
  const about = view === "model" ? `as the model is given it: ${tokens} tokens` : `${bits} bits${units}`;
  return `${width} × ${height} pixels, ${about}${regions.length > 0 ? `, regions: ${regions.map(({ label }) => label).join(", ")}` : ""}`;
}

/** How the values are spread, with the window on them. */
function Values({ pixels, window }: { readonly pixels: Pixels; readonly window: Window }) {
  const { counts, low, high } = useMemo(() => histogramOf(pixels, 64), [pixels]);
  const most = Math.max(...counts.map((count) => Math.sqrt(count)));
  const x = (value: number) => (128 * (value - low)) / (high - low || 1);
  const bars = useMemo(
    () => counts.map((count, i) => <rect key={i} x={i * 2} width="1.8" y={30 - (30 * Math.sqrt(count)) / most} height="30" />),
    [counts],
  );
  return (
    <svg class="values" viewBox="0 0 128 30" preserveAspectRatio="none" aria-hidden="true">
      {bars}
      <polyline points={`${x(window.level - window.width / 2)},30 ${x(window.level + window.width / 2)},0`} />
    </svg>
  );
}
