// The best so far and the learning curves, drawn by uPlot from the numbers of the server.
"use strict";
const LEARNING = ["score", "training loss", "validation loss"];
const COLOURS = ["#d1662c", "#2f7fc1", "#3a9d5d", "#8a5bb8", "#c23b6b", "#7b8b1f", "#1f9aa0", "#a3742a"];
const plots = new Map();
let numbers = null;
let etag = "";
let waiting = 0;

const tone = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const measure = () => document.querySelector("[name=measure]:checked")?.value ?? "score";

function axes(across, up) {
  const common = { stroke: tone("--quiet"), font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif",
    grid: { stroke: tone("--line"), width: 1 }, ticks: { stroke: tone("--line"), width: 1 } };
  return [
    { ...common, label: across, labelSize: 18, size: 34, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] },
    { ...common, label: up, labelSize: 18, size: 52 },
  ];
}

function show(place, series, data, across, up, more) {
  const width = Math.max(260, place.clientWidth);
  plots.get(place)?.destroy();
  place.replaceChildren();
  plots.set(place, new uPlot({
    width, height: width < 500 ? 210 : 260, series: [{ label: across }, ...series], axes: axes(across, up),
    scales: { x: { time: false, ...more }, y: { range: { min: { pad: 0.08 }, max: { pad: 0.08 } } } },
    cursor: { drag: { x: true, y: false } }, legend: { live: true },
  }, data, place));
  place.dataset.drawn = "yes";
}

function empty(place, words) {
  plots.get(place)?.destroy();
  plots.delete(place);
  const said = document.createElement("p");
  said.className = "quiet";
  said.textContent = words;
  place.replaceChildren(said);
  place.dataset.drawn = "empty";
}

// Several curves over one row of places; null where a curve has no value.
function joined(curves) {
  const places = [...new Set(curves.flatMap(([at]) => at))].sort((a, b) => a - b);
  return [places, ...curves.map(([at, values]) => {
    const known = new Map(at.map((place, index) => [place, values[index]]));
    return places.map((place) => known.get(place) ?? null);
  })];
}

const short = (_, value) => (value === null || value === undefined ? "" : value.toFixed(4));

function best(place) {
  if (!numbers.dots.trial.length) return empty(place, "No trial is complete yet.");
  const end = Math.max(1, numbers.last);
  const steps = [[...numbers.best.trial, end], [...numbers.best.value, numbers.best.value.at(-1)]];
  const curves = [[numbers.dots.trial, numbers.dots.value], steps];
  const series = [
    { label: "trial", stroke: tone("--plot"), paths: () => null, points: { show: true, size: 6, width: 1, fill: tone("--card") }, value: short },
    { label: "best so far", stroke: tone("--accent"), width: 2, paths: uPlot.paths.stepped({ align: 1 }), spanGaps: true, points: { show: false }, value: short },
  ];
  for (const [label, level] of [["baseline", numbers.baseline], ["constant answer", numbers.constant]]) {
    if (level === null) continue;
    curves.push([[0, end], [level, level]]);
    series.push({ label, stroke: tone("--quiet"), width: 1, dash: label === "baseline" ? [6, 4] : [2, 3], spanGaps: true, points: { show: false }, value: short });
  }
  show(place, series, joined(curves), "trial", numbers.metric, { range: [0, end] });
}

function learning(place) {
  const what = measure();
  const running = numbers.running.filter((curve) => curve.epoch.length);
  const curves = [...numbers.finished, ...running];
  if (!curves.length) return empty(place, "No training has an epoch yet.");
  const series = curves.map((curve, index) => {
    const live = index >= numbers.finished.length;
    return {
      label: `trial ${curve.trial}${live ? ", running" : ""}`, width: live ? 2.5 : 1.2, spanGaps: true, value: short,
      stroke: COLOURS[index % COLOURS.length], dash: live ? undefined : [6, 4],
      points: { show: live && curve.epoch.length < 30, size: 5 },
    };
  });
  const up = what === "score" ? numbers.metric : what;
  show(place, series, joined(curves.map((curve) => [curve.epoch, curve[what]])), "epoch", up, { range: [1, Math.max(2, ...curves.map((curve) => curve.epoch.at(-1) ?? 1))] });
}

function draw() {
  if (!numbers) return;
  for (const place of document.querySelectorAll("[data-chart]")) (place.dataset.chart === "best" ? best : learning)(place);
}

async function load() {
  const place = document.querySelector("[data-chart=best]");
  if (!place || document.hidden) return;
  clearTimeout(waiting);
  try {
    const answer = await fetch(place.dataset.url, { cache: "no-cache", credentials: "same-origin" });
    if (!answer.ok) throw new Error(answer.statusText);
    if (numbers && answer.headers.get("ETag") === etag) return;
    etag = answer.headers.get("ETag");
    numbers = await answer.json();
    draw();
  } catch {
    waiting = setTimeout(load, PAUSE_MS); // the page itself says when there is no connection
  }
}

document.addEventListener("board", load);
document.addEventListener("change", (event) => { if (event.target.name === "measure") draw(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
let sized = 0;
addEventListener("resize", () => { clearTimeout(sized); sized = setTimeout(draw, 150); });
load();
