/** One completion: its advantage and rewards, its text with what was judged of it, or its tokens with their log-probs. */
import { useRef, useState } from "preact/hooks";
import type { TurnRecord } from "../../src/tools/turn-records.ts";
import type { RolloutRecord, TokenRecord } from "../../src/train/rollout-records.ts";
import { short, signed } from "../format.ts";
import { Button, useSeen } from "./controls.tsx";
import { DiffText, MarkedText, SHOWN_CHARACTERS } from "./marked-text.tsx";
import { RewardBars } from "./reward-bars.tsx";
import { Thumbnail } from "./ways.tsx";

type Recorded = RolloutRecord["completions"][number];
/** As far as it is shown; those of other programs may lack anything. */
export type Completion = Pick<Recorded, "text"> & Partial<Recorded>;

/** A turn that called a tool: what was written, the call as it was read, and what came back, an image too. */
function Turn({ run, turn: { text, call, observation } }: { readonly run: string; readonly turn: TurnRecord }) {
  const image = observation?.image;
  return (
    <div class="completion">
      {text}
      <p>
        <code>{call === null ? "a call that cannot be read" : `${call.name}(${JSON.stringify(call.arguments)})`}</code>
      </p>
      {observation && <p class={observation.is_error ? "badge warn" : "muted"}>{observation.text}</p>}
      {image && (
        <div class="thumb">
          <Thumbnail run={run} sha256={image.sha256} alt={`What the tool showed, ${image.width} × ${image.height}`} />
        </div>
      )}
    </div>
  );
}

interface CompletionCardProps {
  readonly run: string;
  readonly completion: Completion;
  /** Its places in the group, several where texts are equal. */
  readonly places: readonly number[];
  readonly weights: Readonly<Record<string, number>>;
  readonly most: number;
  readonly chosen: boolean;
  /** The text to be compared with; null for none. */
  readonly against: string | null;
  readonly tokens: TokenRecord["completions"][number] | null;
}

export function CompletionCard({ run, completion, places, weights, most, chosen, against, tokens }: CompletionCardProps) {
  const [hovered, setHovered] = useState<string | null>(null);
  const [whole, setWhole] = useState(false);
  const card = useRef<HTMLLIElement>(null);
  const seen = useSeen(card);
  const { text, rewards = {}, evidence = [], parsed_answer: answer = null } = completion;
  const advantage = Number(completion.advantage) || 0;
  const side = advantage > 0 ? "positive" : advantage < 0 ? "negative" : "neutral";
  const shown = whole ? text : text.slice(0, SHOWN_CHARACTERS);
  return (
    <li class={`card ${side}${chosen ? " chosen" : ""}`} id={`c${places[0]}`} ref={card}>
      <header>
        <b class="advantage">{signed(advantage)}</b>
        <span>
          {places.length > 1 && <b>×{places.length} </b>}
          <span class="muted">completion {places.join(", ")}</span>
        </span>
        <span class="muted">
          {completion.tokens} tokens, mean log-prob {short(completion.mean_log_prob)}
        </span>
        {completion.finish_reason === "length" && <span class="badge warn">✂ cut</span>}
        {completion.parsed_answer === null && <span class="badge warn">∅ no answer read</span>}
        {completion.trained === false && <span class="badge">not trained on</span>}
        {answer !== null && (
          <span>
            answer <b>{answer.text}</b>
          </span>
        )}
      </header>
      <RewardBars
        {...{ rewards, weights, hovered }}
        advantage={{ own: advantage, most }}
        total={completion.reward ?? null}
        onHover={setHovered}
      />
      {completion.turns?.slice(0, -1).map((turn, i) => (
        <Turn key={i} run={run} turn={turn} />
      ))}
      {tokens !== null ? (
        <TokenLayer text={shown} tokens={tokens} />
      ) : (
        <p
          class="completion"
          onMouseOver={(event) => setHovered((event.target as Element).closest?.("mark")?.getAttribute("data-reward") ?? null)}
          onMouseLeave={() => setHovered(null)}
          onFocus={() => setHovered(null)}
        >
          {!seen ? (
            shown
          ) : against === null ? (
            <MarkedText text={shown} evidence={evidence} answer={answer} reward={hovered} />
          ) : (
            <DiffText text={shown} against={against} />
          )}
        </p>
      )}
      {!whole && text.length > shown.length && <Button text={`${text.length - shown.length} more characters`} on={() => setWhole(true)} />}
    </li>
  );
}

const MOST_TOKENS = 2000;

/** A bar per token, taller the less likely it was; under them the entropies, where they were recorded. */
function TokenLayer({ text, tokens }: { readonly text: string; readonly tokens: NonNullable<CompletionCardProps["tokens"]> }) {
  const { token_ids: ids, log_probs: logProbs, entropies } = tokens;
  const least = (values: readonly number[], count: number) =>
    values
      .map((value, i) => ({ value, i }))
      .sort((a, b) => a.value - b.value)
      .slice(0, count)
      .map(({ value, i }) => `token ${i} (id ${ids[i]}) ${short(Math.abs(value) < 1e-6 ? 0 : value)}`)
      .join("; ");
  return (
    <>
      <p class="completion">{text}</p>
      <TokenBars name="log-prob" values={logProbs} ids={ids} />
      <p class="muted">least likely: {least(logProbs, 3)}</p>
      {entropies && <TokenBars name="entropy" values={entropies} ids={ids} />}
      <p class="muted">
        {entropies === undefined
          ? "entropies were not recorded"
          : `least decided: ${least(
              entropies.map((value) => -value),
              3,
            ).replaceAll("−", "")}`}
      </p>
    </>
  );
}

function TokenBars({ name, values, ids }: { name: string; values: readonly number[]; ids: readonly number[] }) {
  const shown = values.slice(0, MOST_TOKENS);
  const most = Math.max(1, ...shown.map(Math.abs));
  const label = `${name} of ${ids.length} tokens, the largest in size ${short(most)}`;
  return (
    <svg class={`tokens ${name}`} viewBox={`0 0 ${shown.length * 4} 30`} preserveAspectRatio="none" role="img" aria-label={label}>
      {shown.map((value, i) => (
        <rect key={i} x={i * 4} width="3" y={30 - (30 * Math.abs(value)) / most} height="30">
          <title>{`token ${i} (${ids[i]}): ${name} ${short(value)}`}</title>
        </rect>
      ))}
    </svg>
  );
}
