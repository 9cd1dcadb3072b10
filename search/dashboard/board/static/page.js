// Looks again every few seconds and changes only what is different, so that nothing flickers, scrolls or loses focus.
"use strict";
const PAUSE_MS = 5000;
let last = null;

async function look() {
  if (document.hidden) return;
  const away = document.getElementById("away");
  try {
    const answer = await fetch(location.href, { cache: "no-cache", credentials: "same-origin" });
    if (!answer.ok && answer.status !== 404) throw new Error(answer.statusText);
    const text = await answer.text();
    away.hidden = true;
    if (text === last) return;
    const fresh = new DOMParser().parseFromString(text, "text/html");
    if (last !== null || fresh.body.innerHTML !== document.body.innerHTML) {
      alike(document.getElementById("main"), fresh.getElementById("main"));
      alike(document.querySelector("#bar nav"), fresh.querySelector("#bar nav"));
    }
    document.title = fresh.title;
    last = text;
  } catch {
    away.hidden = false;
  }
}

// Make an element like another one and keep every part of it that can stay.
function alike(old, fresh) {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
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

setInterval(look, PAUSE_MS);
document.addEventListener("visibilitychange", look);
