// The validation images of several trials: a photograph under layers of classes or errors, drawn from small label maps.
"use strict";
const MOMENTS = ["an early one", "half way", "the best one"];
const TRIES = 12; // again for a picture that did not come: the server may be busy or away for a moment
const loaded = new Map(); // by URL, so that a trial that stays in the table is not loaded again
let shownSpec = "";

function picture(url) {
  if (!loaded.has(url)) {
    loaded.set(url, new Promise((resolve) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = () => { loaded.delete(url); resolve(null); };
      image.src = url;
    }));
  }
  return loaded.get(url);
}

// The labels of a sheet, 255 where there is none: a pixel's colour says which.
function labelled(image, colours) {
  const canvas = new OffscreenCanvas(image.width, image.height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(image, 0, 0);
  const pixels = pen.getImageData(0, 0, image.width, image.height).data;
  const known = new Map(colours.map((colour, label) => [parseInt(colour.slice(1), 16), label]));
  const labels = new Uint8Array(image.width * image.height);
  for (let at = 0; at < labels.length; at += 1) {
    labels[at] = known.get((pixels[4 * at] << 16) | (pixels[4 * at + 1] << 8) | pixels[4 * at + 2]) ?? 255;
  }
  return { labels, width: image.width };
}

function cellOf(sheet, told, sample, column) {
  const [height, width] = told.sizes[sample];
  const top = told.sizes.slice(0, sample).reduce((sum, [high]) => sum + high, 0);
  const found = new Uint8Array(height * width);
  for (let row = 0; row < height; row += 1) {
    const from = (top + row) * sheet.width + column * told.column;
    found.set(sheet.labels.subarray(from, from + width), row * width);
  }
  return { labels: found, width, height };
}

class Viewer {
  constructor(root) {
    this.root = root;
    this.table = root.querySelector("table");
    root.addEventListener("input", () => this.draw());
  }

  async take(spec, tries = TRIES) {
    this.spec = spec;
    const urls = [spec.trials[0].panel, ...spec.trials.map((trial) => (trial.labels ? trial.labels.url : trial.panel))];
    const images = await Promise.all(urls.map(picture));
    if (this.spec !== spec) return; // a newer one came meanwhile
    if (images.includes(null) && tries) setTimeout(() => this.spec === spec && this.take(spec, tries - 1), PAUSE_MS);
    const others = worst?.spec ? [worst.spec.photos, worst.spec.labels.url] : [];
    for (const url of loaded.keys()) if (!urls.includes(url) && !others.includes(url)) loaded.delete(url);
    this.photo = images[0];
    this.sheets = spec.trials.map((trial, place) => {
      const image = images[place + 1];
      return trial.labels && image ? labelled(image, spec.colours) : null;
    });
    this.panels = images.slice(1);
    this.root.querySelector(".epochs").hidden = !spec.trials.some((trial) => trial.labels?.epochs.length > 1);
    this.build();
    this.draw();
    this.root.dataset.drawn = "yes";
  }

  build() {
    const { trials, images, cell } = this.spec;
    const head = document.createElement("thead");
    const titles = head.insertRow();
    for (const title of ["image", "truth", ...trials.map((trial) => trial)]) {
      const th = document.createElement("th");
      th.scope = "col";
      if (typeof title === "string") th.textContent = title;
      else {
        const name = document.createElement("b");
        name.textContent = `trial ${title.number}`;
        const note = document.createElement("span");
        th.append(name, ` ${title.score?.toFixed(4) ?? ""} `, note);
      }
      titles.append(th);
    }
    const body = document.createElement("tbody");
    images.forEach((_, sample) => {
      const row = body.insertRow();
      for (let column = 0; column < trials.length + 2; column += 1) {
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = cell;
        canvas.setAttribute("role", "img");
        row.insertCell().append(canvas);
        canvas.dataset.sample = sample;
      }
    });
    this.table.replaceChildren(head, body);
  }

  // The place of the epoch that a trial shows: the best one, or one of the others by their order.
  moment(labels, position) {
    if (position === 2 || labels.epochs.length === 1) return labels.counted;
    const others = labels.epochs.map((_, place) => place).filter((place) => place !== labels.counted);
    return others[position === 0 ? 0 : others.length - 1];
  }

  draw() {
    if (!this.photo) return;
    const { spec, root } = this;
    const errors = root.querySelector("[value=errors]").checked;
    const strength = Number(root.querySelector("#strength").value) / 100;
    const zoom = Number(root.querySelector("#zoom").value) / 100;
    const position = Number(root.querySelector("#moment").value);
    const on = new Set([...root.querySelectorAll("[data-label]:checked")].map((box) => Number(box.dataset.label)));
    const every = on.size === root.querySelectorAll("[data-label]").length;
    root.querySelector("#moment-name").textContent = MOMENTS[position];
    const room = this.table.parentElement.clientWidth / (spec.trials.length + 2) - 8;
    this.table.style.setProperty("--cell", `${Math.round(Math.max(130, Math.min(256, room)) * zoom)}px`);
    const shown = (label) => on.has(label) || (every && label !== 255);
    const first = spec.trials.findIndex((_, place) => this.sheets[place]);
    spec.trials.forEach((trial, place) => {
      const note = this.table.tHead.rows[0].cells[place + 2].querySelector("span");
      note.className = "quiet";
      note.textContent = trial.labels ? `epoch ${trial.labels.epochs[this.moment(trial.labels, position)]}` : "";
    });
    [...this.table.tBodies[0].rows].forEach((row, sample) => {
      const pens = [...row.cells].map((cell) => cell.firstChild.getContext("2d"));
      const name = (column, words) => row.cells[column].firstChild.setAttribute("aria-label", `${words}, image ${sample + 1}`);
      this.photograph(pens[0], sample);
      name(0, "image");
      const truth = first < 0 ? null : cellOf(this.sheets[first], spec.trials[first].labels, sample, 0);
      if (truth) this.layer(pens[1], sample, truth, (label) => (shown(label) ? spec.colours[label] : null), strength);
      else this.cut(pens[1], this.panels[0], spec.truth[sample]);
      name(1, "truth");
      spec.trials.forEach((trial, place) => {
        const pen = pens[place + 2], sheet = this.sheets[place];
        name(place + 2, `${errors ? "errors" : "prediction"} of trial ${trial.number}`);
        if (!sheet) return this.cut(pen, this.panels[place], trial[errors ? "error" : "prediction"][sample]);
        const found = cellOf(sheet, trial.labels, sample, 1 + this.moment(trial.labels, position));
        const real = cellOf(sheet, trial.labels, sample, 0);
        const colour = errors
          ? (label, at) => this.error(label, real.labels[at], shown)
          : (label) => (shown(label) ? spec.colours[label] : null);
        return this.layer(pen, sample, found, colour, strength);
      });
    });
  }

  // The colour of a wrong pixel, when the true class or the one that was predicted is switched on.
  error(label, real, shown) {
    if (real === 255 || label === real || !(shown(label) || shown(real))) return null;
    return this.spec.wrong[this.spec.excluded.includes(real) ? 1 : 0];
  }

  photograph(pen, sample) {
    this.cut(pen, this.photo, this.spec.images[sample]);
  }

  cut(pen, image, [left, top]) {
    const { width, height } = pen.canvas;
    pen.clearRect(0, 0, width, height);
    if (image) pen.drawImage(image, left, top, width, height, 0, 0, width, height);
  }

  layer(pen, sample, cell, colour, strength) {
    this.photograph(pen, sample);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(painted(cell, colour, strength), 0, 0, pen.canvas.width, pen.canvas.height);
    pen.imageSmoothingEnabled = true;
  }
}

// The worst images of one class: photograph, truth and prediction of each.
class Worst {
  constructor(root) {
    this.root = root;
    root.addEventListener("change", () => this.draw());
  }

  async take(spec, tries = TRIES) {
    this.wanted = spec;
    const [photos, labels] = await Promise.all([spec.photos, spec.labels.url].map(picture));
    if (this.wanted !== spec) return; // a newer one came meanwhile
    if (!photos || !labels) {
      if (tries) setTimeout(() => this.wanted === spec && this.take(spec, tries - 1), PAUSE_MS);
      return;
    }
    Object.assign(this, { spec, photos, sheet: labelled(labels, spec.colours) });
    this.draw();
    this.root.dataset.drawn = "yes";
  }

  draw() {
    if (!this.spec) return;
    const chosen = this.spec.classes[Number(this.root.querySelector("[name=worst]:checked").value)];
    this.root.querySelector(".worst").replaceChildren(...chosen.images.map((image) => this.item(image)));
  }

  item({ place, sample, iou }) {
    const item = document.createElement("li"), row = document.createElement("div"), note = document.createElement("span");
    const score = document.createElement("b");
    score.textContent = iou.toFixed(4);
    note.append(score, ` image ${sample}`);
    row.append(this.canvas(place, -1, `image ${sample}`), this.canvas(place, 0, "truth"), this.canvas(place, 1, "prediction"));
    item.append(row, note);
    return item;
  }

  canvas(place, column, words) {
    const { sizes } = this.spec.labels, [height, width] = sizes[place];
    const top = sizes.slice(0, place).reduce((sum, [high]) => sum + high, 0);
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", words);
    const pen = canvas.getContext("2d");
    pen.drawImage(this.photos, 0, top, width, height, 0, 0, width, height);
    if (column >= 0) {
      const cell = cellOf(this.sheet, this.spec.labels, place, column);
      pen.drawImage(painted(cell, (label) => this.spec.colours[label] ?? null, 0.75), 0, 0);
    }
    return canvas;
  }
}

// A cell of labels as colours with so much strength; null leaves a pixel as it is.
function painted(cell, colour, strength) {
  const layer = new OffscreenCanvas(cell.width, cell.height);
  const ink = layer.getContext("2d");
  const pixels = ink.createImageData(cell.width, cell.height);
  cell.labels.forEach((label, at) => {
    const text = colour(label, at);
    if (!text) return;
    const value = parseInt(text.slice(1), 16);
    pixels.data.set([value >> 16, (value >> 8) & 255, value & 255, Math.round(255 * strength)], 4 * at);
  });
  ink.putImageData(pixels, 0, 0);
  return layer;
}

let viewer = null;
let worst = null;
let worstSpec = "";

function refreshWorst() {
  const root = document.getElementById("worst-viewer");
  if (!root || root.dataset.spec === worstSpec) return;
  if (worst?.root !== root) worst = new Worst(root);
  worstSpec = root.dataset.spec;
  worst.take(JSON.parse(worstSpec));
}

function refreshPictures() {
  refreshWorst();
  const root = document.getElementById("viewer");
  if (!root || root.dataset.spec === shownSpec) return;
  if (viewer?.root !== root) viewer = new Viewer(root);
  shownSpec = root.dataset.spec;
  viewer.take(JSON.parse(shownSpec));
}

document.addEventListener("board", refreshPictures);
addEventListener("resize", () => viewer?.draw());
refreshPictures();
