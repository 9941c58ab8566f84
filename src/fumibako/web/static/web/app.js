// What pages do in the browser beyond forms and links; every page works without it.
"use strict";

let openedDetails = [];

// Show and hide a password: <button type="button" data-shows="ID" data-show="Show" data-hide="Hide">.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-shows]");
  if (!button) return;
  const input = document.getElementById(button.dataset.shows);
  const hidden = input.type === "password";
  input.type = hidden ? "text" : "password";
  button.textContent = hidden ? button.dataset.hide : button.dataset.show;
  button.setAttribute("aria-pressed", String(hidden));
});

// Copy: <button type="button" data-copies="ID" data-done="Copied">; an input's value, or an element's text.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copies]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copies);
  try {
    await navigator.clipboard.writeText("value" in source ? source.value : source.textContent);
  } catch {  // no clipboard over plain HTTP: select it, so that the keyboard copies it
    if (source.select) source.select();
    else getSelection().selectAllChildren(source);
    return;
  }
  button.setAttribute("aria-label", button.dataset.done);
  button.classList.add("ok");
});

// Forms that save at once: the change posts, its button is for pages without JavaScript.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-saves]");
  if (form && !form.hasAttribute("hx-post")) form.requestSubmit();
});

// Ticked "also …" rows that follow a choice: <select data-without="GROUP"> hides GROUP's row of the chosen value.
function hideChosen(select) {
  for (const row of document.querySelectorAll(`[data-row="${select.dataset.without}"]`)) {
    row.hidden = row.dataset.value === select.value;
  }
}
document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-without]")) hideChosen(event.target);
});
document.querySelectorAll("select[data-without]").forEach(hideChosen);

// A link to a folded part unfolds it.
function unfold() {
  const part = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (part && part.matches("details")) {
    part.open = true;
    part.scrollIntoView();
  }
}
addEventListener("hashchange", unfold);
unfold();

// Letters by keyboard: j opens the next in the list, k the one before.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  if (event.key !== "j" && event.key !== "k") return;
  const links = [...document.querySelectorAll("#rows li > a")];
  const at = links.findIndex((link) => link.hasAttribute("aria-current"));
  const link = links[at + (event.key === "j" ? 1 : -1)];
  link?.focus();
  link?.click();
});

// The list beside an opened letter shows which one it is, and that it has been read.
function markOpened() {
  for (const link of document.querySelectorAll("#rows li > a")) {
    const here = link.pathname === location.pathname;
    link.toggleAttribute("aria-current", here);
    if (here) {
      link.setAttribute("aria-current", "true");
      link.classList.remove("new");
      link.querySelector("b > .vh")?.remove();
      link.scrollIntoView({ block: "nearest" });
    }
  }
}

// Live pages. The server says "changed" when something of this person changed; parts with
// hx-trigger="changed from:body" then ask again. At most one a second, never losing the last one. A slow tick keeps
// "12 seconds ago" true. The stream is open only while the page is seen: a browser allows six connections a host.
if (document.body.dataset.live) {
  const PAUSE = 1000;  // milliseconds between two
  const TICK = 20000;  // milliseconds
  let stream = null, waiting = null, last = 0, tick = null;

  const tell = () => {
    waiting = null;
    last = Date.now();
    document.body.dispatchEvent(new CustomEvent("changed"));
  };
  const changed = () => {
    waiting ??= setTimeout(tell, Math.max(0, last + PAUSE - Date.now()));
  };
  const open = () => {
    if (stream || document.hidden) return;
    stream = new EventSource(document.body.dataset.live);
    stream.addEventListener("changed", changed);
    tick = setInterval(changed, TICK);
  };
  const close = () => {
    stream?.close();
    clearInterval(tick);
    stream = null;
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return close();
    open();
    changed();  // what happened meanwhile
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}

// Parts that htmx fetches. A redirect (to the login, to the next page) is followed by the whole page, and a page that has
// become another is loaded anew. A refreshed part keeps its opened details, and waits while somebody types in it. Where only the server is gone, the page stays.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, xhr, requestConfig } = event.detail;
  const asked = new URL(requestConfig.path, location.href);
  if (requestConfig.verb === "get" && xhr.responseURL && new URL(xhr.responseURL).pathname !== asked.pathname) {
    event.detail.shouldSwap = false;
    location.assign(xhr.responseURL);
    return;
  }
  const part = requestConfig.elt.getAttribute("hx-select");
  if (requestConfig.verb === "get" && part && !xhr.responseText.includes(`id="${part.slice(1)}"`)) {
    event.detail.shouldSwap = false;
    location.reload();
    return;
  }
  const typing = document.activeElement;
  if (requestConfig.verb === "get" && target.contains(typing) && typing !== target
      && typing.matches("input:not([type=radio], [type=checkbox]), select, textarea")) {
    event.detail.shouldSwap = false;
    return;
  }
  openedDetails = [...target.querySelectorAll("details[open][id]")].map((details) => details.id);
});
document.addEventListener("htmx:afterSwap", (event) => {
  for (const id of openedDetails) document.getElementById(id)?.setAttribute("open", "");
  openedDetails = [];
  if (event.detail.target.id === "read") document.getElementById("main").classList.add("open");
});
document.addEventListener("htmx:afterSettle", () => {
  if (document.getElementById("read")) markOpened();
  document.querySelectorAll("select[data-without]").forEach(hideChosen);
});

