// What pages do by themselves, beside htmx: live streams, copying, dialogs.  No page needs more than this file.
"use strict";

// -- live: one EventSource while the page is seen.  A browser has six connections per host; hidden tabs keep none.
(() => {
  let source = null;
  let waitMs = 1000;
  let timer = 0;
  const url = () => document.body.dataset.live;

  function tell() {
    // The server need not tell again what this very look shows.
    document.body.dispatchEvent(new CustomEvent("live"));
  }

  function open() {
    if (source || !url() || document.hidden) return;
    source = new EventSource(url());
    source.addEventListener("open", () => { waitMs = 1000; });
    source.addEventListener("changed", tell);
    source.addEventListener("error", () => {
      if (source && source.readyState === EventSource.CLOSED) {
        close();
        timer = setTimeout(open, waitMs);
        waitMs = Math.min(waitMs * 2, 30000);
      }
    });
  }

  function close() {
    clearTimeout(timer);
    if (source) source.close();
    source = null;
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", open);
  document.addEventListener("DOMContentLoaded", open);
})();

// -- copying: data-copy="text", or data-copy-from="id of an element"
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const from = button.dataset.copyFrom;
  const text = from ? document.getElementById(from).textContent : button.dataset.copy;
  if (!(await copyText(text, button))) return;
  button.classList.add("copied");
  button.dataset.tip = document.body.dataset.copied;
  setTimeout(() => { button.classList.remove("copied"); delete button.dataset.tip; }, 1500);
});

async function copyText(text, near) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Plain http from another host has no clipboard: the old way, inside the dialog if there is one, for its focus.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "offscreen";
    (near.closest("dialog") || document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    near.focus();
    return done;
  }
}

// -- dialogs: data-open="id" opens one, data-close closes the one it is in.  One that came from the server opens itself.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) document.getElementById(opener.dataset.open).showModal();
  const closer = event.target.closest("[data-close]");
  const closed = closer && closer.closest("dialog");
  if (closed) {
    event.preventDefault();
    closed.close();
  }
  // data-fill="text" data-into="names of fields": a value at hand is put in
  const filler = event.target.closest("[data-fill]");
  if (filler) filler.dataset.into.split(" ").forEach((name) => { filler.form.elements[name].value = filler.dataset.fill; });
});
function openFetched() {
  const dialog = document.querySelector("#dialog_place dialog:not([open]), dialog[data-show]:not([open])");
  if (!dialog) return;
  dialog.removeAttribute("data-show");
  dialog.showModal();
  // What it showed once, such as a password, is gone with it.
  if (dialog.closest("#dialog_place")) dialog.addEventListener("close", () => dialog.remove(), { once: true });
}
document.addEventListener("htmx:afterSwap", openFetched);
document.addEventListener("DOMContentLoaded", openFetched);

// -- forms: data-submit sends the form when a choice changes; a form is sent once
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented || form.matches("[hx-post]")) return;
  // After this turn: a disabled button's name would not be sent.
  setTimeout(() => form.querySelectorAll("button:not([type=button])").forEach((button) => { button.disabled = true; }), 0);
});
window.addEventListener("pageshow", () => {
  document.querySelectorAll("form button:disabled").forEach((button) => { button.disabled = false; });
});
document.addEventListener("click", (event) => {
  document.querySelectorAll("details.menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
});
