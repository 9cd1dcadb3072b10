// Looks again every few seconds and changes only what is different, so that nothing flickers, scrolls or loses focus.
// What a script draws by itself is marked data-own: its attributes follow the server's, its inside is left alone.
"use strict";
const PAUSE_MS = 5000;
let last = null;
let looking = false;

async function look() {
  const url = document.getElementById("main").dataset.url;
  if (document.hidden || looking || !url) return;
  looking = true;
  const away = document.getElementById("away");
  const again = url + (url.includes("?") ? "&" : "?") + "now=1";
  try {
    const answer = await fetch(again, { cache: "no-cache", credentials: "same-origin" });
    if (!answer.ok && answer.status !== 404) throw new Error(answer.statusText);
    const text = await answer.text();
    away.hidden = true;
    if (text !== last) {
      const fresh = new DOMParser().parseFromString(text, "text/html");
      alike(document.getElementById("main"), fresh.getElementById("main"));
      alike(document.querySelector("#bar nav"), fresh.querySelector("#bar nav"));
      document.title = fresh.title;
      last = text;
      document.dispatchEvent(new Event("board"));
    }
  } catch {
    away.hidden = false;
  }
  looking = false;
}

// Make an element like another one and keep every part of it that can stay.
function alike(old, fresh) {
  if (old.hasAttribute("data-hold")) return; // a refused form, until it is sent again
  attributes(old, fresh);
  if (old.hasAttribute("data-own")) return;
  const wanted = [...fresh.childNodes];
  wanted.forEach((child, place) => {
    const here = old.childNodes[place];
    if (!here) old.append(child);
    else if (here.nodeName !== child.nodeName || (child.id || "") !== (here.id || "")) here.replaceWith(child);
    else if (here.nodeType === Node.ELEMENT_NODE) alike(here, child);
    else if (here.nodeValue !== child.nodeValue) here.nodeValue = child.nodeValue;
  });
  while (old.childNodes.length > wanted.length) old.lastChild.remove();
}

function attributes(old, fresh) {
  const mine = old.nodeName === "DETAILS" ? ["open"] : []; // which people open and close
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !mine.includes(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !mine.includes(name)) old.setAttribute(name, value);
  }
}

// Pieces that take the server longer come by themselves, when what they depend on has changed.
async function pieces() {
  for (const place of document.querySelectorAll("[data-fragment]")) {
    if (place.dataset.seen === place.dataset.shown) continue;
    const seen = place.dataset.seen;
    try {
      const answer = await fetch(place.dataset.fragment, { cache: "no-cache", credentials: "same-origin" });
      if (!answer.ok) continue; // busy: the next look asks again
      place.replaceChildren(...new DOMParser().parseFromString(await answer.text(), "text/html").body.childNodes);
      place.dataset.shown = seen;
    } catch {
      continue;
    }
  }
}

document.addEventListener("board", pieces);
setInterval(() => { look(); pieces(); }, PAUSE_MS);
document.addEventListener("visibilitychange", look);
pieces();
if (document.getElementById("waiting")) look();
