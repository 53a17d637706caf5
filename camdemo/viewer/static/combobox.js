// A field that opens a list, which is searched by typing: ARIA's combobox over a listbox. A native
// select can't be searched by a part of a name, and Gradio's dropdown fires nothing on Enter.

const LISTED = 100; // rows at a time: to make a thousand takes longer than a person waits
let comboboxes = 0; // so far, for their ids

const isInWord = (letter) => /[\p{L}\p{N}]/u.test(letter ?? "");

/** How well a text fits what was typed: 0 for the very text, 1 where it has it as a word, 2 where a word begins so, else 3. */
function rankOfText(text, typed) {
  if (text === typed) return 0;
  let rank = 3;
  for (let at = text.indexOf(typed); at >= 0; at = text.indexOf(typed, at + 1)) {
    if (!isInWord(text[at - 1])) rank = Math.min(rank, isInWord(text[at + typed.length]) ? 2 : 1);
  }
  return rank;
}

/**
 * Those of which title and value have every typed word: the best first, so that Enter chooses the first. Groups
 * stay together, that with the best first; what fits equally well keeps its order.
 */
function searched(entries, typed) {
  const name = typed.trim().toLowerCase();
  if (!name) return entries;
  const words = name.split(/\s+/);
  const textsOf = ({ title, value }) => [title, value].map((text) => String(text).toLowerCase());
  const found = entries.filter((entry) => words.every((word) => textsOf(entry).join(" ").includes(word)));
  const rankOf = new Map(found.map((entry) => [entry, Math.min(...textsOf(entry).map((text) => rankOfText(text, name)))]));
  const best = new Map(); // of each group, which stand in their order
  for (const [{ group }, rank] of rankOf) best.set(group, Math.min(rank, best.get(group) ?? rank));
  const places = [...best.keys()];
  const before = (one, other) => best.get(one) - best.get(other) || places.indexOf(one) - places.indexOf(other);
  return found.sort((one, other) => before(one.group, other.group) || rankOf.get(one) - rankOf.get(other));
}

/** The rows of a list, under the headings of their groups. */
function grouped(rows, groups) {
  const parts = [];
  rows.forEach((row, i) => {
    const group = groups[i];
    if (!group) return parts.push(row);
    if (group !== groups[i - 1]) {
      const heading = make("div", { className: "cam-choices-heading", textContent: group, ariaHidden: "true" });
      parts.push(make("div", { role: "group", ariaLabel: group }, heading));
    }
    parts.at(-1).append(row);
  });
  return parts;
}

/**
 * Put a popup below a field, or above it where only there is room for it, and never outside of
 * what is seen of the window; the keyboard of a phone takes from that.
 */
function putBeside(popup, input, tall) {
  const field = input.getBoundingClientRect();
  const { offsetLeft: left, offsetTop: top, width, height } = window.visualViewport;
  const [above, below] = [field.top - top, top + height - field.bottom];
  const upward = tall > below && above > below;
  popup.style.minWidth = `${Math.min(field.width, width)}px`;
  popup.style.maxWidth = `${width}px`;
  popup.style.maxHeight = `${within(Math.max(upward ? above : below, 100), height)}px`; // 100: three rows
  const y = upward ? field.top - popup.offsetHeight : field.bottom;
  popup.style.left = `${left + within(field.left - left, width - popup.offsetWidth)}px`;
  popup.style.top = `${top + within(y - top, height - popup.offsetHeight)}px`;
}

/**
 * Make a combobox in an element, which may be a <label>.
 *
 * Entries are {value, title}, and may have a note, a group (those of one stand together) and be
 * disabled. `choose(value)` is called when a person has chosen another value than the present one;
 * `empty` stands in the field while nothing is chosen. Returns {input, set(value), fill(entries)}:
 * both may be called at any time, and leave alone what somebody is typing.
 */
function comboboxOf(place, { title, help = "", entries = [], value = null, choose, empty = "" }) {
  const id = `cam-choices-${++comboboxes}`;
  const input = make("input", {
    ...{ type: "text", title: help, placeholder: empty, autocomplete: "off", autocapitalize: "off", spellcheck: false },
    ...{ role: "combobox", ariaLabel: title, ariaAutoComplete: "list", ariaExpanded: "false" },
  });
  input.setAttribute("aria-controls", id);
  const list = make("div", { id, className: "cam-choices", role: "listbox", ariaLabel: title });
  const more = make("div", { className: "cam-choices-more", role: "status" });
  // A popover lies above everything, and above what fills the screen; nothing clips it.
  const popup = make("div", { className: "cam-popup", popover: "manual", hidden: true }, list, more);
  place.replaceChildren(title, make("span", { className: "cam-combobox" }, input), popup);

  let typed = "";
  let found = []; // the entries that have what was typed
  let first = 0; // the place among them of the first row
  let rows = [];
  let active = -1; // the place among them of what Enter chooses
  let tall = 0; // pixels that everything takes
  let opened = null; // while it is open: ends what is listened to

  const placeIn = (some, wanted) => some.findIndex((entry) => entry.value === wanted);

  /** What is chosen stands in the field again, so that typing replaces it. */
  function restore() {
    input.value = entries[placeIn(entries, value)]?.title ?? "";
    if (document.activeElement === input) input.select();
  }

  function rowOf(entry, i) {
    const row = make("div", { id: `${id}-${i}`, role: "option" }, make("span", { textContent: entry.title }));
    if (entry.note) row.append(make("span", { className: "cam-choices-note", textContent: entry.note }));
    if (entry.disabled) row.ariaDisabled = "true";
    const [ariaPosInSet, ariaSetSize] = [String(i + 1), String(found.length)];
    return Object.assign(row, { ariaSelected: String(entry.value === value), ariaPosInSet, ariaSetSize });
  }

  /** What stands below the rows. */
  function remark() {
    const left = found.length - rows.length;
    if (left) return `${left.toLocaleString("en")} more: type a part of the name`;
    return found.length ? "" : `Nothing here has "${typed.trim()}" in its name.`;
  }

  function draw() {
    const shown = active < 0 || (active >= first && active < first + LISTED);
    first = within(shown ? first : active - LISTED / 2, Math.max(found.length - LISTED, 0));
    const listed = found.slice(first, first + LISTED);
    rows = listed.map((entry, i) => rowOf(entry, first + i));
    list.replaceChildren(...grouped(rows, listed.map(({ group }) => group)));
    more.textContent = remark();
    tall ||= popup.offsetHeight; // of everything: it stays on its side while the list gets shorter
    putBeside(popup, input, tall);
    mark(active);
  }

  /** Make an entry the active one, and scroll its row into sight with what stands above it. */
  function mark(now, scrolls = true) {
    delete rows[active - first]?.dataset.active;
    active = now;
    const row = rows[active - first];
    if (!row) return input.removeAttribute("aria-activedescendant");
    row.dataset.active = "";
    input.setAttribute("aria-activedescendant", row.id);
    if (!scrolls) return;
    const end = row.offsetTop + row.offsetHeight - list.clientHeight;
    list.scrollTop = Math.min(Math.max(list.scrollTop, end), (row.previousElementSibling ?? row).offsetTop);
  }

  function move(by) {
    const choosable = [...found.keys()].filter((i) => !found[i].disabled);
    if (!choosable.length) return;
    const next = choosable[within(choosable.indexOf(active) + by, choosable.length - 1)];
    if (rows[next - first]) return mark(next);
    active = next;
    draw();
  }

  function open() {
    if (opened) return;
    opened = new AbortController();
    [typed, found, first, active] = ["", entries, 0, placeIn(entries, value)];
    input.select();
    input.ariaExpanded = "true";
    popup.hidden = false;
    popup.showPopover?.();
    popup.style.maxHeight = "";
    tall = 0;
    draw();
    const { signal } = opened;
    const again = ({ target }) => target !== list && putBeside(popup, input, tall);
    for (const seen of [window, window.visualViewport]) {
      seen.addEventListener("resize", again, { signal });
      seen.addEventListener("scroll", again, { signal, capture: true });
    }
    // The focus may stay here when something else is pressed.
    const leave = ({ target }) => place.contains(target) || close();
    document.addEventListener("pointerdown", leave, { signal, capture: true });
  }

  function close() {
    if (!opened) return;
    opened.abort();
    opened = null;
    popup.hidePopover?.();
    popup.hidden = true;
    input.ariaExpanded = "false";
    mark(-1);
    restore();
  }

  function take(entry) {
    if (entry?.disabled) return;
    const isNew = entry && entry.value !== value;
    if (isNew) value = entry.value;
    close();
    if (isNew) choose(value);
  }

  const keys = {
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    PageDown: () => move(10),
    PageUp: () => move(-10),
    Home: () => move(-Infinity),
    End: () => move(Infinity),
    Enter: () => take(found[active]),
    Escape: close,
  };
  input.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.shiftKey || !keys[event.key]) return;
    const opens = event.key.startsWith("Arrow");
    if (!opened && !opens) return;
    event.preventDefault();
    event.stopPropagation(); // Escape would leave the full screen
    if (opened) keys[event.key]();
    else open();
  });
  input.addEventListener("input", () => {
    open();
    typed = input.value;
    [found, first] = [searched(entries, typed), 0];
    active = typed.trim() ? found.findIndex(({ disabled }) => !disabled) : placeIn(found, value);
    draw();
  });
  input.addEventListener("mousedown", (event) => {
    // Else the browser would take the selection away after the click that opens.
    if (!opened && document.activeElement === input) event.preventDefault();
  });
  input.addEventListener("click", open);
  input.addEventListener("blur", close);
  popup.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays in the field
  popup.addEventListener("pointermove", ({ target }) => {
    const i = rows.indexOf(target.closest("[role=option]"));
    if (i >= 0 && !found[first + i].disabled) mark(first + i, false);
  });
  popup.addEventListener("click", (event) => {
    event.preventDefault(); // a label would pass it on to the field
    const i = rows.indexOf(event.target.closest("[role=option]"));
    if (i < 0) return;
    take(found[first + i]);
    if (!opened && event.pointerType === "touch") input.blur(); // and its keyboard goes
  });

  function set(next) {
    if (next === value) return;
    value = next;
    if (opened) draw();
    else restore();
  }

  function fill(next) {
    if (JSON.stringify(next) === JSON.stringify(entries)) return; // a row may be under a finger
    const was = found[active]?.value;
    entries = next;
    if (!opened) return restore();
    found = searched(entries, typed);
    active = placeIn(found, was);
    draw();
  }

  restore();
  return { input, set, fill };
}
