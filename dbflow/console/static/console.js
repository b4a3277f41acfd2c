// SPDX-License-Identifier: Apache-2.0
// What a page does beyond HTML: its live parts follow the server, times say how long ago, one box ticks all.
"use strict";

(() => {
  const main = document.querySelector("main[data-live]");
  const said = document.getElementById("live-state");
  let source = null;
  let ended = false; // there is nothing more to see, and no connection to hold for it
  let pause = 1000;

  const say = (text) => { if (said && said.textContent !== text) said.textContent = text; };

  // Make `old` look like `fresh` with as few changes as possible, so that focus, selection, scroll positions, ticked
  // boxes and opened details stay.
  function morph(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || (old.id || "") !== (fresh.id || "")) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    const sameTime = old.nodeName === "TIME" && old.dateTime === fresh.dateTime;
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value && !(name === "open" && old.nodeName === "DETAILS")) old.setAttribute(name, value);
    }
    if (old.nodeName === "INPUT" && old.disabled) old.checked = false;
    if (!sameTime) morphChildren(old, fresh);
  }

  function morphChildren(old, fresh) {
    const byId = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
    let here = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const known = child.id ? byId.get(child.id) : null;
      if (known && known !== here) {
        old.insertBefore(known, here); // a row that moved is the same row
        here = known;
      }
      if (!here || (child.id && !known) || (here.id && here.id !== child.id)) {
        old.insertBefore(child, here);
        continue;
      }
      const next = here.nextSibling;
      morph(here, child);
      here = next;
    }
    while (here) {
      const next = here.nextSibling;
      here.remove();
      here = next;
    }
  }

  function replace({ id, html }) {
    const part = document.getElementById(id);
    if (!part) return;
    const parsed = new DOMParser().parseFromString(`<div id="${id}">${html}</div>`, "text/html");
    morph(part, document.adoptNode(parsed.body.firstChild));
    tellAges();
    tellChosen();
  }

  // What acts on a selection can be pressed once there is one.
  function tellChosen() {
    for (const form of document.querySelectorAll("form[data-batch]")) {
      const count = document.querySelectorAll(`input[name="${form.dataset.batch}"]:checked`).length;
      for (const button of form.querySelectorAll("button")) button.disabled = count === 0;
      form.querySelector("[data-chosen]").textContent = count || "those";
    }
  }

  // A drawing that is wider than its window begins at its middle, or at what was chosen.
  function centre() {
    for (const box of document.querySelectorAll(".drawing")) {
      const at = box.querySelector(".node.chosen") || box.querySelector("svg.flow:not(.timeline)");
      if (!at || box.scrollWidth <= box.clientWidth) continue;
      const { left, width } = at.getBoundingClientRect();
      box.scrollLeft += left + width / 2 - box.getBoundingClientRect().left - box.clientWidth / 2;
    }
  }

  const UNITS = [["d", 86400], ["h", 3600], ["min", 60]];

  function tellAges() {
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(time.dateTime)) / 1000));
      const [unit, size] = UNITS.find(([, size]) => seconds >= 2 * size) || ["s", 1];
      const text = `${Math.floor(seconds / size)} ${unit} ago`;
      if (time.textContent !== text) time.textContent = text;
    }
  }

  function connect() {
    if (!main || source || ended || document.hidden) return;
    source = new EventSource(location.pathname + location.search);
    source.addEventListener("open", () => { pause = 1000; say("● live"); });
    source.addEventListener("part", (event) => replace(JSON.parse(event.data)));
    source.addEventListener("end", (event) => {
      disconnect();
      ended = true;
      say(JSON.parse(event.data).over ? "● complete" : "○ gone: reload the page");
    });
    source.addEventListener("error", () => {
      say("○ not live, trying again");
      if (source && source.readyState === EventSource.CLOSED) { // refused: the browser would not try again
        disconnect();
        setTimeout(connect, pause);
        pause = Math.min(2 * pause, 60000);
      }
    });
  }

  function disconnect() {
    if (source) source.close();
    source = null;
  }

  // A page that nobody looks at holds no connection: browsers have few for one server, and servers few for all.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) disconnect();
    else connect();
  });
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", connect);

  document.addEventListener("change", ({ target }) => {
    if (target.matches("input[data-all]")) {
      for (const box of document.querySelectorAll(`input[name="${target.dataset.all}"]:not(:disabled)`)) box.checked = target.checked;
    }
    if (target.matches("input[type=checkbox]")) tellChosen();
  });

  document.documentElement.classList.add("scripted");
  setInterval(tellAges, 1000);
  addEventListener("pageshow", tellChosen); // boxes may be ticked from before
  tellAges();
  centre();
  for (const here of document.querySelectorAll("nav [aria-current=page]")) { // which may scroll sideways
    const list = here.closest("ul");
    list.scrollLeft += here.getBoundingClientRect().right - list.getBoundingClientRect().right;
  }
  connect();
})();
