/** The page's script: values under the pointer, and filters for rollouts. The page is fully readable without it. */

/** Runs in the browser; it only reads attributes and writes text, never markup. */
export const script = `"use strict";
const tip = document.getElementById("tip");
for (const svg of document.querySelectorAll("svg[data-chart]")) {
  const lines = JSON.parse(svg.dataset.chart);
  const steps = [...new Set(lines.flatMap((line) => line.x))].sort((a, b) => a - b);
  const cursor = svg.querySelector(".cursor");
  let index = steps.length;
  const nearest = (all, x) => all.reduce((best, value, i) => (Math.abs(value - x) < Math.abs(all[best] - x) ? i : best), 0);
  const show = (x) => {
    const box = svg.getBoundingClientRect();
    cursor.setAttribute("x1", x); cursor.setAttribute("x2", x); cursor.setAttribute("visibility", "visible");
    tip.textContent = lines.filter((line) => line.x.length).map((line) => (lines.length > 1 ? line.name + ", " : "") + line.text[nearest(line.x, x)]).join("\\n");
    tip.hidden = false;
    const left = box.left + scrollX + (x / 400) * box.width;
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = Math.max(8, Math.min(left + 12, room)) + "px";
    tip.style.top = box.bottom + scrollY - 6 + "px";
  };
  const hide = () => { tip.hidden = true; cursor.setAttribute("visibility", "hidden"); };
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    index = nearest(steps, ((event.clientX - box.left) / box.width) * 400);
    show(steps[index]);
  });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") hide();
    if (move === undefined) return;
    event.preventDefault();
    index = Math.max(0, Math.min(steps.length - 1, index + move));
    show(steps[index]);
  });
}
const form = document.getElementById("filters");
if (form) {
  const cards = [...document.querySelectorAll("article.rollout")];
  const apply = () => {
    const wanted = Object.fromEntries(new FormData(form));
    let count = 0;
    for (const card of cards) {
      const { kind, type, run, text } = card.dataset;
      const hit = (!wanted.kind || kind.split(" ").includes(wanted.kind)) && (!wanted.type || type === wanted.type)
        && (!wanted.run || run === wanted.run) && (!wanted.text || text.includes(wanted.text.toLowerCase()));
      card.hidden = !hit;
      count += hit;
    }
    document.getElementById("matches").textContent = count === cards.length ? "" : count + " of " + cards.length;
    document.getElementById("no-match").hidden = count > 0;
  };
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
}
`;
