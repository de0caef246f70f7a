/** Tables, buttons and fields as all pages have them. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

interface TableProps {
  /** What it shows, for its caption, or for readers of screens alone. */
  readonly label: string;
  readonly caption?: boolean;
  readonly head: readonly ComponentChildren[];
  /** The first cell of a row is its head. */
  readonly rows: readonly { readonly key: string | number; readonly cells: readonly ComponentChildren[] }[];
  readonly class?: string;
}

/** A table in an area that scrolls sideways where it must, by keyboard too. */
export function Table({ label, caption = false, head, rows, ...rest }: TableProps) {
  return (
    <div class="wide-scroll" tabIndex={0} role="region" aria-label={label}>
      <table {...rest}>
        {caption && <caption>{label}</caption>}
        <thead>
          <tr>
            {head.map((cell, i) => (
              <th scope="col" key={i}>
                {cell || <span class="hidden">value</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, cells: [first, ...cells] }) => (
            <tr key={key}>
              <th scope="row">{first}</th>
              {cells.map((cell, i) => (
                <td key={i} class="number">
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

type ButtonProps = Omit<JSX.IntrinsicElements["button"], "onClick"> & {
  /** What stands on it; children for more than a text. */
  readonly text?: ComponentChildren;
  readonly on: () => void;
  readonly pressed?: boolean;
  readonly disabled?: boolean;
};

export function Button({ text, on, pressed, children, ...rest }: ButtonProps) {
  return (
    <button type="button" aria-pressed={pressed} onClick={on} {...rest}>
      {text}
      {children}
    </button>
  );
}

interface SelectProps {
  readonly label: string;
  readonly value: string | number;
  readonly options: readonly (readonly [value: string | number, name: string])[];
  readonly on: (value: string) => void;
}

export function Select({ label, value, options, on }: SelectProps) {
  return (
    <label>
      {label}{" "}
      <select value={value} onChange={(event) => on(event.currentTarget.value)}>
        {options.map(([one, name]) => (
          <option key={one} value={one}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

interface CheckProps {
  readonly label: ComponentChildren;
  readonly checked: boolean;
  readonly disabled?: boolean;
  readonly on: (checked: boolean) => void;
}

export function Check({ label, checked, disabled, on }: CheckProps) {
  return (
    <label>
      <input type="checkbox" checked={checked} disabled={disabled} onChange={(event) => on(event.currentTarget.checked)} /> {label}
    </label>
  );
}

interface FieldProps {
  readonly label: string;
  /** Told when the value is settled. */
  readonly on?: (value: string) => void;
  readonly type?: "number" | "text";
  readonly name?: string;
  readonly value?: string;
  readonly defaultValue?: string;
  readonly placeholder?: string;
  readonly maxLength?: number;
  readonly min?: number;
  readonly max?: number;
  readonly step?: number;
  readonly required?: boolean;
}

/** A field with its label before it. */
export function Field({ label, on, ...rest }: FieldProps) {
  return (
    <label>
      {label} <input {...(rest as object)} onChange={(event) => on?.(event.currentTarget.value)} />
    </label>
  );
}

/** Things one after the other in a sentence. */
export function commas(parts: readonly ComponentChildren[]): ComponentChildren {
  return parts.flatMap((part, i) => (i === 0 ? [part] : [", ", part]));
}

/** Whether an element has come near the view: what is costly waits for it. */
export function useSeen(element: { readonly current: HTMLElement | null }): boolean {
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const watcher = new IntersectionObserver(([entry]) => entry?.isIntersecting && setSeen(true), { rootMargin: "200px" });
    watcher.observe(element.current!);
    return () => watcher.disconnect();
  }, []);
  return seen;
}

/** A finger that goes sideways turns on or back; not over what scrolls or is dragged itself. */
export function useSwipe(turn: (by: 1 | -1) => void) {
  const from = useRef<Touch | null>(null);
  return {
    onTouchStart({ target, touches }: TouchEvent) {
      const isFree = (target as Element).closest("canvas, input, pre, .wide-scroll") === null;
      from.current = isFree && touches.length === 1 ? touches[0]! : null;
    },
    onTouchEnd({ changedTouches: [end] }: TouchEvent) {
      const [start, across] = [from.current, (end?.clientX ?? 0) - (from.current?.clientX ?? 0)];
      if (start === null || end === undefined || Math.abs(end.clientY - start.clientY) > 40) return;
      if (Math.abs(across) > 60) turn(across < 0 ? 1 : -1);
    },
  };
}

/** Rows of a list that are in view, with some around them: the first, and how many. `content` is the element that is as long as all. */
export function useRowsInView(content: { readonly current: HTMLElement | null }, height: number): readonly [from: number, count: number] {
  const [from, setFrom] = useState(0);
  const [count, setCount] = useState(60);
  useEffect(() => {
    const look = () => {
      const top = content.current?.getBoundingClientRect().top ?? 0;
      const edge = Math.max(0, content.current?.parentElement?.getBoundingClientRect().top ?? 0);
      setFrom(Math.max(0, Math.floor((edge - top) / height) - 10));
      setCount(Math.ceil(innerHeight / height) + 20);
    };
    look();
    const options = { passive: true, capture: true }; // scrolling of any area
    addEventListener("scroll", look, options);
    addEventListener("resize", look);
    return () => {
      removeEventListener("scroll", look, options);
      removeEventListener("resize", look);
    };
  }, []);
  return [from, count];
}
