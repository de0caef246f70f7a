/** The page's style sheet: light or dark by the reader's setting, for phone, desktop and print. */

const light = `--bg:#f6f7f8;--surface:#fff;--text:#1b1e22;--muted:#5b636d;--line:#dfe3e8;--track:#e9ecf0;--accent:#1f5fae;
--good:#17713a;--good-bg:#dff3e5;--bad:#b3261e;--bad-bg:#fde3e0;--warn:#8a5a00;--warn-bg:#fdf0d0;
--c0:#0077bb;--c1:#ee6677;--c2:#997700;--c3:#222255;--c4:#882255;--c5:#117733;--c6:#004488;--c7:#6d7681;color-scheme:light;`;
const dark = `--bg:#101418;--surface:#191e24;--text:#e7eaed;--muted:#9da6b0;--line:#2c343c;--track:#29313a;--accent:#7db4f2;
--good:#62cf8b;--good-bg:#153a25;--bad:#ff8d84;--bad-bg:#4a1d1a;--warn:#f0bd5a;--warn-bg:#42330f;
--c0:#77aadd;--c1:#ee8866;--c2:#eedd88;--c3:#ee3377;--c4:#4477aa;--c5:#ddaa33;--c6:#997700;--c7:#8f99a5;color-scheme:dark;`;
const palette = Array.from({ length: 8 }, (_, i) => `.s${i}{--s:var(--c${i})}`).join("");

const charts = `.chart{display:block;width:100%;height:auto;touch-action:pan-y}
.chart text{font:11.5px system-ui,sans-serif;fill:var(--muted);font-variant-numeric:tabular-nums}
.chart .grid{stroke:var(--line);stroke-width:1}
.chart .line{fill:none;stroke:var(--s);stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}
.chart .noise{fill:none;stroke:var(--s);stroke-width:1;opacity:.3}
.chart .band{fill:var(--s);opacity:.15}
.chart .dot{fill:var(--s);stroke:var(--surface);stroke-width:1.5}
.chart .whisker{stroke:var(--s);stroke-width:1.5}
.chart .level{stroke:var(--muted);stroke-width:1.3;stroke-dasharray:5 4}
.chart .mark{stroke:var(--muted);stroke-width:1;stroke-dasharray:2 3}.chart .mark.alarm{stroke:var(--warn)}
.chart .level-label,.chart .mark-label,.chart .row-label,.chart .row-value{paint-order:stroke;stroke:var(--surface);stroke-width:3px}
.chart .cursor{stroke:var(--text);stroke-width:1;opacity:.5}
.forest .zero{stroke:var(--text);stroke-width:1.3}.forest path{fill:none}
.forest .row line{stroke-width:2.2}.forest .row{--s:var(--muted)}.forest .better{--s:var(--good)}.forest .worse{--s:var(--bad)}
.forest .row line{stroke:var(--s)}.forest .row rect,.forest .row polygon{fill:var(--s)}
.chart .row-label{fill:var(--text);font-weight:600}.chart .row-value{fill:var(--text)}
`;

/** For a drawing in a file of its own: light, each line with a dash of its own. */
export const drawingStyle = `svg{${light}background:var(--surface)}
${palette}
${["", "6 3", "2 3", "10 3 2 3", "4 4", "1 2", "8 2", "5 5"].map((dash, i) => `.s${i} .line{stroke-dasharray:${dash || "none"}}`).join("")}
${charts}`;

/** Of a whole page. */
export const style = `:root{${light}}
@media (prefers-color-scheme:dark){:root{${dark}}}
${palette}
*{box-sizing:border-box}
html{scroll-padding-top:3.4rem;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
a{color:var(--accent)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.skip{position:absolute;left:-9999px}.skip:focus{left:1rem;top:.5rem;z-index:9;background:var(--surface);padding:.3rem .6rem}
main,.top{max-width:1240px;margin:0 auto;padding:0 1rem}
.top{padding-top:1.4rem}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3rem;letter-spacing:-.01em}
h2{font-size:1.3rem;margin:2.4rem 0 .5rem;letter-spacing:-.01em}
h3{font-size:1rem;margin:1rem 0 .4rem}
.rollout h3,.alarm h3{margin:0}
p{margin:.4rem 0}
.lead{max-width:75ch}
.note,.ids,figcaption,.about{color:var(--muted);font-size:.86rem}
.ids{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.75rem}
small{font-weight:400;color:var(--muted)}
.sub{color:var(--muted)}
.badge{display:inline-block;font-size:.84rem;font-weight:600;border-radius:99px;padding:.1rem .7rem;background:var(--track)}
.badge.good{background:var(--good-bg);color:var(--good)}.badge.bad{background:var(--bad-bg);color:var(--bad)}.badge.open{background:var(--warn-bg);color:var(--warn)}
nav{position:sticky;top:0;z-index:5;background:var(--bg);border-bottom:1px solid var(--line);margin-top:.8rem}
nav ul{display:flex;gap:1.2rem;list-style:none;max-width:1240px;margin:0 auto;padding:.55rem 1rem;overflow-x:auto;white-space:nowrap;scrollbar-width:none}
nav a{text-decoration:none;color:var(--muted);font-weight:500;font-size:.93rem}nav a:hover{color:var(--text)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:.8rem;margin-top:.8rem}
.tile,figure,.rollout,.alarm{background:var(--surface);border:1px solid var(--line);border-radius:10px}
.tile{padding:.8rem 1rem;border-top:3px solid var(--line)}
.tile h3{margin:0;font-size:.86rem;font-weight:600;color:var(--muted)}
.tile .value{font-size:1.85rem;font-weight:650;line-height:1.25;margin:.1rem 0;font-variant-numeric:tabular-nums;letter-spacing:-.02em}
.tile .value small{font-size:1rem}
.tile .value a{color:inherit;text-decoration:none}
.tile .about{margin:0;line-height:1.35}
.tile.good{border-top-color:var(--good)}.tile.good .value{color:var(--good)}
.tile.bad{border-top-color:var(--bad)}.tile.bad .value{color:var(--bad)}
.tile.warn{border-top-color:var(--warn)}.tile.warn .value{color:var(--warn)}
.notices{background:var(--warn-bg);color:var(--warn);border-radius:8px;padding:.5rem .5rem .5rem 1.8rem;font-size:.9rem}
.charts{display:grid;align-items:start;grid-template-columns:repeat(auto-fill,minmax(min(340px,100%),1fr));gap:.8rem;margin-top:.8rem}
.charts.wide{grid-template-columns:repeat(auto-fit,minmax(min(340px,100%),1fr))}
figure{margin:0;padding:.7rem .8rem .8rem;min-width:0;max-width:640px}
figure h3{margin:0 0 .3rem;display:flex;justify-content:space-between;gap:1rem}
figure .last{font-variant-numeric:tabular-nums}
figcaption{line-height:1.35}
${charts}.legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;list-style:none;padding:0;margin:.3rem 0;font-size:.86rem;font-weight:400}
.legend li,span.legend{display:inline-flex;align-items:center;gap:.4rem}
span.legend{margin:0;font-weight:600}
.swatch{display:inline-block;width:.9rem;height:.3rem;border-radius:2px;background:var(--s);flex:none}
#tip{position:absolute;z-index:8;background:var(--text);color:var(--bg);font-size:.82rem;padding:.3rem .6rem;border-radius:6px;white-space:pre-line;pointer-events:none;max-width:18rem}
.scroll{overflow-x:auto;margin:.6rem 0;border:1px solid var(--line);border-radius:10px;background:var(--surface)}
table{border-collapse:collapse;width:100%;font-size:.9rem}
caption{text-align:left;font-weight:600;padding:.6rem .8rem .2rem}
th,td{text-align:left;padding:.4rem .8rem;border-top:1px solid var(--line);vertical-align:top;overflow-wrap:normal}
thead th{border-top:0;color:var(--muted);font-weight:500;font-size:.84rem;vertical-align:bottom}
tbody th[scope=row]{position:sticky;left:0;background:var(--surface)}
td.num,span.legend{white-space:nowrap}
.num{text-align:right;font-variant-numeric:tabular-nums}
.recipes th[scope=row]{overflow-wrap:anywhere;min-width:8rem}.recipes td{overflow-wrap:anywhere;min-width:4.5rem}
td .figure{white-space:nowrap;font-variant-numeric:tabular-nums;font-size:.84rem}
td.better,td.good{color:var(--good)}td.worse,td.bad{color:var(--bad)}td.better,td.worse{font-weight:600}
.bar{display:block;width:100px;height:14px;margin:.3rem 0 .1rem}
.bar .track{fill:var(--track)}.bar .fill{fill:var(--s);opacity:.65}.bar .whisker{stroke:var(--text);stroke-width:1.4}
.bar .positive{fill:var(--good)}.bar .negative{fill:var(--bad)}.bar .zero{stroke:var(--muted);stroke-width:1}
details{margin:.6rem 0}summary{cursor:pointer;color:var(--accent);font-size:.92rem}
pre{white-space:pre-wrap;background:var(--surface);border:1px solid var(--line);border-radius:8px;padding:.7rem .9rem;font:.82rem/1.45 ui-monospace,Menlo,Consolas,monospace;overflow-x:auto}
.filters{display:flex;flex-wrap:wrap;gap:.5rem 1rem;margin:.8rem 0;font-size:.9rem;align-items:center}
.filters label{display:inline-flex;gap:.4rem;align-items:center}
select,input{font:inherit;color:inherit;background:var(--surface);border:1px solid var(--line);border-radius:6px;padding:.2rem .4rem;max-width:12rem}
[hidden]{display:none!important}
.rollout{margin:.9rem 0;padding:.9rem 1rem 1rem}
.rollout header{display:flex;flex-wrap:wrap;gap:.3rem .5rem;align-items:center;margin-bottom:.6rem}
.tag{font-size:.78rem;background:var(--track);border-radius:99px;padding:.05rem .6rem}
.tag.strong{background:var(--accent);color:var(--surface)}.tag.warn{background:var(--warn-bg);color:var(--warn)}
.mean{margin-left:auto;font-size:.88rem;color:var(--muted)}.mean b{color:var(--text)}
.case{display:flex;gap:1rem;align-items:flex-start}
.films{display:flex;flex-wrap:wrap;gap:.4rem;flex:none;max-width:50%}
.films img{display:block;background:#000;border-radius:6px;width:168px;height:auto;image-rendering:auto}
.missing{color:var(--muted);font-size:.8rem;max-width:12rem;border:1px dashed var(--line);border-radius:6px;padding:.6rem}
.ask{min-width:0;flex:1}
.question{font-size:1.08rem;font-weight:600;margin:0 0 .3rem}
.choices{margin:.2rem 0;padding-left:1.6rem}
.completions{list-style:none;margin:.9rem 0 0;padding:0;border-top:1px solid var(--line)}
.completions li{padding:.6rem 0;border-bottom:1px solid var(--line);display:grid;grid-template-columns:minmax(0,1fr) minmax(250px,34%);gap:.3rem 1.2rem}
.completions li:last-child{border-bottom:0;padding-bottom:0}
.text{white-space:pre-wrap}
.count{display:inline-block;font-weight:650;margin-right:.6rem;color:var(--muted)}
.earned{font-size:.84rem}
.advantage{display:flex;gap:.6rem;align-items:center;color:var(--muted)}
.advantage .bar{margin:0}
.more{grid-column:1/-1}.more .completions{border-top:0;margin:0}
.chips{display:flex;flex-wrap:wrap;gap:.25rem .7rem;margin-top:.25rem}
.chip{color:var(--muted)}.chip b{color:var(--text);font-variant-numeric:tabular-nums}
.warn{color:var(--warn)}.chip b.warn{color:var(--warn)}
mark{color:inherit;border-radius:3px;padding:0 .1em}
.v-true{background:var(--good-bg);box-shadow:inset 0 -2px var(--good)}
.v-false{background:var(--bad-bg);box-shadow:inset 0 -2px var(--bad)}
.v-unknown{background:var(--warn-bg);box-shadow:inset 0 -2px var(--warn)}
.verdict{font-size:.8em;font-weight:700;margin-left:.15em;user-select:none}
.v-true .verdict{color:var(--good)}.v-false .verdict{color:var(--bad)}.v-unknown .verdict{color:var(--warn)}
.answer{font-weight:650;outline:1.5px solid var(--accent);outline-offset:1px;border-radius:3px}
.key{display:flex;flex-wrap:wrap;gap:.3rem 1rem;font-size:.88rem;margin-top:.4rem}
.cut{color:var(--muted);font-style:italic}
.alarm{padding:.7rem 1rem;margin:.6rem 0;border-left:4px solid var(--warn)}.alarm.bad{border-left-color:var(--bad)}
.calm{color:var(--good)}
dl{display:grid;gap:.2rem;font-size:.9rem;margin:.6rem 0}dl div{display:grid;grid-template-columns:9rem minmax(0,1fr);gap:1rem}dt{color:var(--muted)}dd{margin:0}
footer{max-width:1240px;margin:3rem auto 1.5rem;padding:0 1rem;color:var(--muted);font-size:.84rem}
@media (max-width:640px){
body{font-size:15px}h1{font-size:1.4rem}main,.top,footer{padding-left:.8rem;padding-right:.8rem}
.tiles{grid-template-columns:1fr 1fr;gap:.5rem}.tile{padding:.6rem .7rem}.tile .value{font-size:1.5rem}.tile .about{font-size:.8rem}
.completions li{grid-template-columns:1fr}.case{flex-direction:column}.films{max-width:100%}
.mean{margin-left:0}dl div{grid-template-columns:7rem minmax(0,1fr)}th,td{padding:.35rem .55rem}}
@media print{nav,.filters,#tip{display:none}figure,.rollout,.tile{break-inside:avoid}}
`;
