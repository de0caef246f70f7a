/** Tables, choices and switches as all pages have them. */
import type { ComponentChildren } from "preact";
import { setValues } from "../address.ts";

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

interface SelectProps {
  readonly label: string;
  readonly value: string | number;
  readonly options: readonly (readonly [value: string | number, name: string])[];
  readonly onChange: (value: string) => void;
}

export function Select({ label, value, options, onChange }: SelectProps) {
  return (
    <label>
      {label}{" "}
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map(([one, name]) => (
          <option key={one} value={one}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

interface ToggleProps {
  readonly pressed: boolean;
  readonly onPress: () => void;
  readonly children: ComponentChildren;
  readonly class?: string;
}

export function Toggle({ pressed, onPress, children, ...rest }: ToggleProps) {
  return (
    <button type="button" aria-pressed={pressed} onClick={onPress} {...rest}>
      {children}
    </button>
  );
}

/** A button that keeps its state in the address: pressed puts `value` there, pressed again takes it away. */
export function AddressToggle({
  name,
  value = "1",
  now,
  children,
}: {
  readonly name: string;
  readonly value?: string;
  readonly now: string | undefined;
  readonly children: ComponentChildren;
}) {
  return (
    <Toggle pressed={now === value} onPress={() => setValues({ [name]: now === value ? null : value })}>
      {children}
    </Toggle>
  );
}

/** Two answers to one question side by side. */
export function CasePanel({
  question,
  answer,
  id,
  answers,
}: {
  readonly question: string;
  readonly answer: string;
  readonly id: string;
  readonly answers: readonly {
    readonly name: string;
    readonly right: boolean;
    readonly unparsed: boolean;
    readonly text: ComponentChildren;
  }[];
}) {
  return (
    <article class="panel">
      <h3>{question}</h3>
      <p>
        Reference: <b>{answer}</b> <span class="muted">{id}</span>
      </p>
      <div class="pair-texts">
        {answers.map(({ name, right, unparsed, text }, i) => (
          <div key={i}>
            <h4>
              {name}: {right ? "✓ right" : "✗ wrong"}
              {unparsed && ", not parsed"}
            </h4>
            <p>{text}</p>
          </div>
        ))}
      </div>
    </article>
  );
}
