/** The keys of the present page behind "?", and the switch that turns them off. */
import { useEffect, useRef } from "preact/hooks";
import { keysOn, shortcuts, switchKeys } from "../keys.ts";

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const typing = (event.target as HTMLElement | null)?.matches?.("input, textarea, select") ?? false;
      if (event.key === "?" && keysOn.value && !typing) dialog.current?.showModal();
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);
  return (
    <>
      <button type="button" class="quiet" onClick={() => dialog.current?.showModal()} aria-label="Keys of this page">
        ?
      </button>
      <dialog ref={dialog} aria-labelledby="keys-title">
        <h2 id="keys-title">Keys</h2>
        <KeyList />
        <label class="switch">
          <input type="checkbox" checked={keysOn.value} onChange={(event) => switchKeys(event.currentTarget.checked)} /> keys are on
        </label>
        <form method="dialog">
          <button type="submit">Close</button>
        </form>
      </dialog>
    </>
  );
}

function KeyList() {
  const own = shortcuts.value.filter(({ key }, i, all) => all.findIndex((one) => one.key === key) === i);
  return (
    <dl class="keys">
      {[{ key: "?", about: "this list" }, ...own].map(({ key, about }) => (
        <div key={key}>
          <dt>
            <kbd>{key}</kbd>
          </dt>
          <dd>{about}</dd>
        </div>
      ))}
    </dl>
  );
}
