/** Pairs of a training image and an evaluated one that are the same or look the same, side by side, and what they do to the score. */
import { useState } from "preact/hooks";
import type { LookAlikes as Found } from "../../src/ui/look-alikes.ts";
import { intervalText } from "../format.ts";
import { useAnswer } from "../use-data.ts";
import { Button } from "./controls.tsx";
import { Viewers } from "./viewers.tsx";
import { Loaded, Thumbnail } from "./ways.tsx";

/** Images are compared when asked for: every one is read. */
export function LookAlikes({ id }: { readonly id: string }) {
  const [wanted, setWanted] = useState(false);
  const asked = useAnswer<Found>(wanted ? ["runs", id, "look-alikes"] : null);
  if (!wanted) return <Button text="Compare the images of training and evaluation" on={() => setWanted(true)} />;
  return <Loaded asked={asked} show={(found) => <Pairs id={id} found={found} />} />;
}

const MOST_PAIRS = 100;

function Pairs({ id, found }: { readonly id: string; readonly found: Found }) {
  const [open, setOpen] = useState(-1);
  const { seen, judged, unread, pairs, all, without } = found;
  const leaking = new Set(pairs.map((pair) => pair.judged)).size;
  if (judged === 0) return <p>The last evaluation does not name its images: it was made by another version of viva.</p>;
  return (
    <>
      <p class={leaking > 0 ? "notice" : ""}>
        {leaking} of {judged} evaluated images are one of the {seen} that were sampled on, or look like one: see the pairs.
        {unread > 0 && ` ${unread} could not be read.`}
        {leaking > 0 &&
          all !== null &&
          ` Accuracy ${intervalText(all)} on all questions, ${without === null ? "none left" : intervalText(without)} without them.`}
      </p>
      <ol class="cards">
        {pairs.slice(0, MOST_PAIRS).map((pair, i) => (
          <li class="panel" key={`${pair.seen} ${pair.judged}`}>
            <Button
              class="thumb pair"
              pressed={i === open}
              on={() => setOpen(i === open ? -1 : i)}
              aria-label={`Look at pair ${i + 1} closely`}
            >
              <Thumbnail run={id} sha256={pair.seen} alt="sampled on" />
              <Thumbnail run={id} sha256={pair.judged} alt="evaluated" />
            </Button>
            <p>
              {pair.distance} of 256 bits differ; {pair.questions} evaluated questions, {pair.same} of them asked word for word in training.{" "}
              <span class="muted">{pair.names.join(" and ")}</span>
            </p>
            {i === open && (
              <Viewers
                run={id}
                images={[
                  { sha256: pair.seen, label: "sampled on" },
                  { sha256: pair.judged, label: "evaluated" },
                ]}
                main
              />
            )}
          </li>
        ))}
      </ol>
    </>
  );
}
