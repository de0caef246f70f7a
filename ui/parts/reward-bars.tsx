/** A completion's rewards by name as signed bars: weight times value, hatched where a reward did not apply. */
import { short, signed } from "../format.ts";

interface RewardBarsProps {
  readonly rewards: Readonly<Record<string, number | null>>;
  /** By reward; a reward without one is drawn as it is. */
  readonly weights: Readonly<Record<string, number>>;
  readonly total: number | null;
  /** With the largest of the group, which the scale is for; absent where none was computed. */
  readonly advantage?: { readonly own: number; readonly most: number };
  readonly hovered?: string | null;
  readonly onHover?: (reward: string | null) => void;
}

export function RewardBars({ rewards, weights, total, advantage, hovered = null, onHover }: RewardBarsProps) {
  const rows = Object.entries(rewards).map(([name, value]) => {
    const weight = weights[name] ?? 1;
    return { name, value, weight, part: value === null ? 0 : weight * value };
  });
  const scale = Math.max(1e-9, ...rows.map(({ part }) => Math.abs(part)));
  return (
    <table class="rewards">
      <tbody>
        {rows.map(({ name, value, weight, part }) => (
          <tr
            key={name}
            class={hovered === name ? "hovered" : ""}
            onMouseEnter={() => onHover?.(name)}
            onMouseLeave={() => onHover?.(null)}
          >
            <th scope="row">{name}</th>
            <td class="bar">
              <Bar share={part / scale} kind={value === null ? "null" : "reward"} />
            </td>
            <td class="number">
              {value === null ? "null" : signed(part)}
              {value !== null && weight !== 1 && (
                <small>
                  {" "}
                  = {short(weight)} × {short(value)}
                </small>
              )}
            </td>
          </tr>
        ))}
        <tr class="total">
          <th scope="row">reward</th>
          <td />
          <td class="number">{total === null ? "null" : short(total)}</td>
        </tr>
        {advantage !== undefined && (
          <tr class="total">
            <th scope="row">advantage</th>
            <td class="bar">
              <Bar share={advantage.most === 0 ? 0 : advantage.own / advantage.most} kind="advantage" />
            </td>
            <td class="number">{signed(advantage.own)}</td>
          </tr>
        )}
      </tbody>
    </table>
  );
}

/** To the right of the middle above 0, to its left below. */
export function Bar({ share, kind }: { readonly share: number; readonly kind: "reward" | "advantage" | "null" }) {
  const width = Math.min(1, Math.abs(share)) * 50;
  const side = share >= 0 ? "positive" : "negative";
  return (
    <svg class={`signed ${kind} ${side}`} viewBox="0 0 100 10" preserveAspectRatio="none" width="100%" height="12" aria-hidden="true">
      {kind === "null" ? (
        <line class="hatch" x1="2" x2="98" y1="5" y2="5" />
      ) : (
        <rect x={share >= 0 ? 50 : 50 - width} y="1" width={Math.max(0.6, width)} height="8" />
      )}
      <line class="zero" x1="50" x2="50" y1="0" y2="10" />
    </svg>
  );
}
