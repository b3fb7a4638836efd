// Follows what happens, and makes times readable. Without it the pages show how things stood when
// they were loaded, and everything else works.

"use strict";

const live = document.getElementById("live");

// Times: in words for the near past, in this browser's zone otherwise.

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const words = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "narrow" });
const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

function inWords(seconds) {
  const size = Math.abs(seconds);
  if (size < 1) return "now";
  const [unit, length] = UNITS.find((each) => size >= each[1]) || UNITS[3];
  return words.format(Math.trunc(seconds / length), unit);
}

function lasted(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

function tellTimes() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[data-time]")) {
    const at = new Date(time.dateTime);
    const seconds = (at - now) / 1000;
    if (!time.title) time.title = `${local.format(at)} · ${time.dateTime}`;
    const text = Math.abs(seconds) < 30 * 86400 ? inWords(seconds) : local.format(at);
    if (time.textContent !== text) time.textContent = text;
  }
  for (const since of document.querySelectorAll("[data-since]")) {
    since.textContent = lasted((now - new Date(since.dataset.since)) / 1000);
  }
}

// Bringing what is shown into line with what was drawn, so that focus, selection, ticked boxes and
// opened parts stay as they are.

const TICKED = 'tr input[form="act"]:checked, :scope > td > input[form="act"]:checked';

function isSame(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && (one.id || "") === (other.id || "");
}

function align(shown, drawn) {
  if (shown.nodeType !== Node.ELEMENT_NODE) {
    if (shown.nodeValue !== drawn.nodeValue) shown.nodeValue = drawn.nodeValue;
    return;
  }
  const isTime = shown.matches("time[data-time], [data-since]");
  const stays = isTime && ["datetime", "data-since"].every((name) => shown.getAttribute(name) === drawn.getAttribute(name));
  if (stays) return;
  for (const { name } of [...shown.attributes]) {
    const isOurs = name === "open" || name === "hidden" || (name === "title" && isTime);
    if (!drawn.hasAttribute(name) && !isOurs) shown.removeAttribute(name);
  }
  for (const { name, value } of drawn.attributes) {
    const isOurs = name === "open" || name === "hidden";
    if (!isOurs && shown.getAttribute(name) !== value) shown.setAttribute(name, value);
  }
  if (isTime) shown.removeAttribute("title");
  alignChildren(shown, drawn);
}

function alignChildren(shown, drawn) {
  const byId = new Map();
  for (const child of shown.children) if (child.id) byId.set(child.id, child);
  let place = shown.firstChild;
  for (const wanted of [...drawn.childNodes]) {
    const known = wanted.id ? byId.get(wanted.id) : undefined;
    if (known && known !== place) {
      shown.insertBefore(known, place);
      place = known;
    }
    if (place && isSame(place, wanted)) {
      align(place, wanted);
      place = place.nextSibling;
    } else {
      shown.insertBefore(wanted, place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    // What is ticked stays, though others have pushed it off the page.
    if (!(place instanceof Element && place.querySelector(TICKED))) place.remove();
    place = next;
  }
}

// Selecting.

const boxes = () => [...document.querySelectorAll('input[type="checkbox"][form="act"]')];

function tellSelected() {
  const text = document.getElementById("selected");
  if (!text) return;
  const all = boxes();
  const count = all.filter((box) => box.checked).length;
  const said = count ? `${count} selected` : "Select executions to act on them.";
  if (text.textContent !== said) text.textContent = said;
  document.getElementById("act").hidden = count === 0;
  const every = document.querySelector("[data-all]");
  if (every) {
    every.hidden = false;
    every.checked = count > 0 && count === all.length;
    every.indeterminate = count > 0 && count < all.length;
  }
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-all]")) for (const box of boxes()) box.checked = event.target.checked;
  tellSelected();
});

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const field = document.querySelector("[data-search]");
    if (field) {
      event.preventDefault();
      field.focus();
    }
  }
});

// Following.

function tell(state, text) {
  const liveness = document.getElementById("liveness");
  liveness.hidden = false;
  liveness.className = `liveness ${state}`;
  if (liveness.textContent !== text) liveness.textContent = text;
}

function say(text) {
  const said = document.getElementById("said");
  if (text && said.textContent !== text) said.textContent = text;
}

let source = null;
let spoken = document.querySelector("[data-said]")?.dataset.said;

function show(html) {
  const drawn = document.createElement("template");
  drawn.innerHTML = html;
  alignChildren(live, drawn.content);
  tell("here", "live");
  tellTimes();
  tellSelected();
  const now = document.querySelector("[data-said]")?.dataset.said;
  if (now !== spoken) say(now);
  spoken = now;
}

// Only while somebody sees the page: a browser has six connections to a server, for all its tabs.

function follow() {
  const isSeen = document.visibilityState === "visible";
  if (isSeen && !source) {
    source = new EventSource(live.dataset.live);
    source.addEventListener("view", (event) => show(event.data));
    source.addEventListener("trouble", (event) => tell("away", event.data));
    source.onerror = () => {
      tell("away", "not live; trying again");
      // A refusal ends the source for good; all else it repeats by itself.
      if (source?.readyState === EventSource.CLOSED) {
        leave();
        setTimeout(follow, 5000);
      }
    };
  } else if (!isSeen) {
    leave();
  }
}

function leave() {
  source?.close();
  source = null;
}

tellTimes();
tellSelected();
setInterval(tellTimes, 1000);
if (live) {
  follow();
  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", leave);
  addEventListener("pageshow", follow);
}
