// The keyboard: every key, and where it is listened to. Each changes the state through viewer.set.

const EVIDENCE = ["positive", "signed", "minmax"];

// Where a key is a letter, or a choice from a list.
const TYPING = "input:not([type=radio], [type=checkbox], [type=range]), textarea, select, [contenteditable], [role=listbox]";

/** The next of several values, the first after the last. */
function after(value, values) {
  return values[(values.indexOf(value) + 1) % values.length];
}

/** One layer towards the photo or towards the answer. */
function stepLayer(viewer, by) {
  const names = viewer.state.scene.layers.filter((layer) => layer.stage).map((layer) => layer.name);
  const at = names.indexOf(viewer.state.layer);
  viewer.set({ layer: names[at < 0 ? names.length - 1 : within(at + by, names.length - 1)] });
}

/** Move the cell that is read out. */
function moveCell(viewer, rows, columns) {
  const { state } = viewer;
  const map = viewer.mapOf(state.layer, state.target);
  if (!map) return;
  const { row, column } = state.cell ?? { row: map.height >> 1, column: map.width >> 1 };
  const cell = { row: within(row + rows, map.height - 1), column: within(column + columns, map.width - 1) };
  viewer.set({ cell });
}

/** Fill the screen with the viewer, or leave it. */
function stageMode(viewer, on) {
  viewer.cam.classList.toggle("cam-fills-screen", on);
  if (on) viewer.cam.requestFullscreen?.().catch(() => {}); // the class alone fills the window
  else if (document.fullscreenElement) document.exitFullscreen();
  viewer.set({});
  showInStrip(viewer); // which has another width now
}

/** The keys, as the list behind "?" has them. */
function keysOf(viewer) {
  const { state, cam } = viewer;
  const opacityBy = (steps) => viewer.set({ opacity: within(Math.round(20 * state.opacity) + steps, 20) / 20 });
  return {
    ArrowLeft: () => (state.reading ? moveCell(viewer, 0, -1) : stepLayer(viewer, -1)),
    ArrowRight: () => (state.reading ? moveCell(viewer, 0, 1) : stepLayer(viewer, 1)),
    ArrowUp: () => state.reading && moveCell(viewer, -1, 0),
    ArrowDown: () => state.reading && moveCell(viewer, 1, 0),
    " ": () => viewer.set({ view: state.view === "photo" ? "overlay" : "photo" }),
    "+": () => opacityBy(1),
    "=": () => opacityBy(1), // the same key without shift
    "-": () => opacityBy(-1),
    c: () => viewer.set({ colormap: after(state.colormap, viewer.colormaps) }),
    e: () => viewer.set({ evidence: after(state.evidence, EVIDENCE) }),
    r: () => {
      state.reading = !state.reading;
      if (state.reading) moveCell(viewer, 0, 0);
      else viewer.set({ cell: null });
    },
    d: () => toggleDuel(viewer),
    ...(viewer.host.hide ? askingKeys(viewer) : {}),
    f: () => stageMode(viewer, !cam.classList.contains("cam-fills-screen")),
    Escape: () => {
      if (state.draft || state.frame) cancel(viewer);
      else if (cam.classList.contains("cam-fills-screen")) stageMode(viewer, false);
      else return false;
    },
    PageDown: () => viewer.deck.step(1),
    PageUp: () => viewer.deck.step(-1),
    "?": () => viewer.find(".cam-help").showModal(),
  };
}

/** The keys that ask the model again: what the pointer can hide and move, they can, too. */
function askingKeys(viewer) {
  const { state, framing } = viewer;
  const { undo, redo, clear } = hidingActions(viewer);
  const STEP = 0.02; // of the photo
  return {
    h: () => (state.reading && state.cell ? toggleCell(viewer, state.cell) : hideHottest(viewer)),
    z: undo,
    y: redo,
    x: clear,
    "shift ArrowLeft": () => framing.shift(-STEP, 0),
    "shift ArrowRight": () => framing.shift(STEP, 0),
    "shift ArrowUp": () => framing.shift(0, -STEP),
    "shift ArrowDown": () => framing.shift(0, STEP),
    "[": () => framing.grow(1 / 1.05),
    "]": () => framing.grow(1.05),
    0: () => framing.reset(),
  };
}

/** Listen to the keyboard: anywhere on the page, but never while somebody types. */
function listenToKeys(viewer) {
  const keys = keysOf(viewer);
  let byTab = false; // how the focus came to where it is
  document.addEventListener("pointerdown", () => { byTab = false; });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Tab") byTab = true;
    const at = (selector) => event.target.closest?.(selector);
    const { scene } = viewer.state;
    if (!viewer.root.isConnected || event.ctrlKey || event.metaKey || event.altKey) return;
    if (viewer.find(".cam-help").open) return;
    if (event.key !== "Escape" && at(TYPING)) return;
    if (at("input") && /^( |Arrow|Page|[+-])/.test(event.key)) return; // they move it or tick it
    // Space presses what was reached by Tab; after a click with the mouse it is ours.
    if (event.key === " " && byTab && at("button, summary, a")) return;
    if (event.key.startsWith("Page") ? viewer.deck.isEmpty() : !scene) return;
    const key = event.shiftKey && event.key.startsWith("Arrow") ? `shift ${event.key}` : event.key;
    const digit = "12345".indexOf(key);
    if (digit >= 0 && scene.labels[digit]) viewer.chooseLabel(scene.labels[digit].index);
    else if (!keys[key] || keys[key]() === false) return;
    event.preventDefault();
  });
  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement) viewer.cam.classList.remove("cam-fills-screen");
    showInStrip(viewer);
  });
}
