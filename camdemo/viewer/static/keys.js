// The keyboard: what each key does, in a list that the help shows and that is listened to.

// Where a key is a letter, or a choice from a list.
const TYPING = "input:not([type=radio], [type=checkbox], [type=range]), textarea, select, [contenteditable], [role=listbox]";

/** The next of several values, the first after the last. */
function nextOf(value, values) {
  return values[(values.indexOf(value) + 1) % values.length];
}

/** The methods that can be used at the layer that is shown. */
function methodNames(viewer) {
  const names = methodsHere(viewer).map(({ name }) => name).filter((name) => !refusalOf(viewer.state, name));
  return names.filter((name) => !isPixel(name)); // a key starts nothing that takes long
}

/** One layer towards the photo or towards the answer. */
function stepLayer(viewer, by) {
  if (isPixel(viewer.state.method)) return;
  const { scene, method } = viewer.state;
  const names = stripOf(scene.layers).map((layer) => layer.name).filter((name) => !layerOf(scene, name).without.includes(method));
  const at = names.indexOf(viewer.state.layer);
  viewer.set({ layer: names[at < 0 ? names.length - 1 : within(at + by, names.length - 1)] });
}

/** Move the cell that is read out; it stays on the photo. */
function moveCell(viewer, rows, columns) {
  const { state } = viewer;
  const map = viewer.mapOf(state.layer, state.target);
  if (!map) return;
  const { row, column } = state.cell ?? { row: map.height >> 1, column: map.width >> 1 };
  const seen = cellsOnPhoto(map, state.scene);
  const kept = (place, [first, last]) => Math.min(Math.max(place, Math.floor(first)), Math.ceil(last) - 1);
  viewer.set({ cell: cellOf(map, kept(row + rows, seen.down), kept(column + columns, seen.across)) });
}

/** The next value of an option. */
function stepOption(viewer, name, names = valuesOf(name)) {
  viewer.set({ [name]: nextOf(viewer.state[name], names) });
}

function changeOpacity(viewer, steps) {
  viewer.set({ opacity: within(Math.round(20 * viewer.state.opacity) + steps, 20) / 20 });
}

function chooseByPlace(viewer, place) {
  const label = viewer.state.scene.labels[place];
  if (!label) return false;
  return viewer.chooseLabel(label.index);
}

/** The photo before or after this one among the examples, or in the deck. */
function stepExample(viewer, by) {
  const { examples, scene } = viewer.state;
  if (!examples.length) return false;
  const names = examples.map(({ name }) => name);
  const at = names.indexOf(viewer.wantedExample ?? scene?.example);
  const next = at < 0 ? 0 : within(at + by, names.length - 1);
  if (next === at) return true;
  viewer.wantedExample = names[next];
  return openExample(viewer, examples[next]);
}

/** Read the map cell by cell, or no more. */
function toggleReading(viewer) {
  const { state } = viewer;
  state.reading = !state.reading;
  if (state.reading) moveCell(viewer, 0, 0);
  else viewer.set({ cell: null });
}

/** Leave what is being drawn, or else what stands before the page, or the full screen. */
function leaveByEscape(viewer) {
  if (viewer.state.draft || viewer.state.frame) return cancel(viewer);
  if (viewer.cam.dataset.sheet) return showSheet(viewer, "");
  if (isOnStage(viewer)) return stageMode(viewer, false);
  viewer.say(""); // which may lie over something
  return false;
}

const stepAcross = (by) => (viewer) => (viewer.state.reading ? moveCell(viewer, 0, by) : stepLayer(viewer, by));
const stepUpOrDown = (by) => (viewer) => viewer.state.reading && moveCell(viewer, by, 0);
const moveFrame = (x, y) => (viewer) => viewer.framing.shift(0.02 * x, 0.02 * y); // of the photo
const growFrame = (by) => (viewer) => viewer.framing.grow(by);

/**
 * All keys: how they are called, what they do in words, and what each of them does (false: nothing
 * here, so that the browser may do what it does). `needs` is what a host must have for them; those that
 * are `alone` ask of one picture, and rest while two are compared.
 */
const KEYS = [
  {
    name: "1 to 5",
    words: "label",
    keys: Object.fromEntries([1, 2, 3, 4, 5].map((key) => [key, (viewer) => chooseByPlace(viewer, key - 1)])),
  },
  { name: "← →", words: "layer, from the photo to the answer", keys: { ArrowLeft: stepAcross(-1), ArrowRight: stepAcross(1) } },
  {
    name: "m",
    words: "method",
    keys: { m: (viewer) => viewer.set(methodChosen(viewer, nextOf(viewer.state.method, methodNames(viewer)))) },
  },
  {
    name: "space",
    words: "photo or overlay; of the camera, freeze",
    keys: {
      " ": (viewer) => {
        if (isLive(viewer)) return viewer.live.freeze();
        return viewer.set({ view: viewer.state.view === "photo" ? "overlay" : "photo" });
      },
    },
  },
  {
    name: "+ −",
    words: "opacity",
    keys: {
      "+": (viewer) => changeOpacity(viewer, 1),
      "=": (viewer) => changeOpacity(viewer, 1), // the same key without shift
      "-": (viewer) => changeOpacity(viewer, -1),
    },
  },
  { name: "n", words: "look: glow or notebook", keys: { n: (viewer) => stepOption(viewer, "look") } },
  { name: "c", words: "colour map", keys: { c: (viewer) => stepOption(viewer, "colormap") } },
  { name: "e", words: "evidence", keys: { e: (viewer) => stepOption(viewer, "evidence") } },
  { name: "d", words: "against the runner-up, then against all others on the page, then alone", keys: { d: stepRivals } },
  {
    name: "r",
    words: "read the map cell by cell with the arrow keys",
    keys: { r: toggleReading, ArrowUp: stepUpOrDown(-1), ArrowDown: stepUpOrDown(1) },
  },
  {
    name: "h",
    words: "hide the cell that is read, else the hottest ones",
    needs: "hide",
    alone: true,
    keys: {
      h: (viewer) => {
        const { reading, cell } = viewer.state;
        return reading && cell ? toggleCell(viewer, cell) : hideHottest(viewer);
      },
    },
  },
  {
    name: "z y x",
    words: "undo, redo, clear",
    needs: "hide",
    alone: true,
    keys: { z: (viewer) => stepHistory(viewer, -1), y: (viewer) => stepHistory(viewer, 1), x: clearRegions },
  },
  {
    name: "shift ← → ↑ ↓",
    words: "move the frame",
    needs: "open",
    alone: true,
    keys: {
      "shift ArrowLeft": moveFrame(-1, 0),
      "shift ArrowRight": moveFrame(1, 0),
      "shift ArrowUp": moveFrame(0, -1),
      "shift ArrowDown": moveFrame(0, 1),
    },
  },
  {
    name: "[ ] 0",
    words: "frame smaller, larger, as before",
    needs: "open",
    alone: true,
    keys: { "[": growFrame(1 / 1.05), "]": growFrame(1.05), 0: (viewer) => viewer.framing.reset() },
  },
  {
    name: "f",
    words: "fill the screen; Escape leaves",
    keys: { f: (viewer) => stageMode(viewer, !isOnStage(viewer)), Escape: leaveByEscape },
  },
  { name: "b", words: "on stage: black, and back", keys: { b: toggleBlank } },
  {
    name: "Page Up, Page Down",
    words: "previous and next photo",
    needs: "open",
    keys: { PageUp: (viewer) => stepExample(viewer, -1), PageDown: (viewer) => stepExample(viewer, 1) },
  },
  { name: "?", words: "this list", keys: { "?": (viewer) => showHelp(viewer) } },
];

/** The keys that do something here. */
function keysHere({ host }) {
  return KEYS.filter(({ needs }) => !needs || host[needs]);
}

/** Open the list behind "?", at its beginning. */
function showHelp({ find }) {
  const help = find(".cam-help");
  help.showModal(); // which brings its one button into sight, at its foot
  help.scrollTop = 0;
}

/** The list behind "?". */
function buildHelp(viewer) {
  const entry = ({ name, words }) => [make("dt", { textContent: name }), make("dd", { textContent: words })];
  viewer.find(".cam-help dl").replaceChildren(...keysHere(viewer).flatMap(entry));
}

/** Listen to the keyboard: anywhere on the page, but never while somebody types. */
function listenToKeys(viewer) {
  const keysOf = (entries) => Object.assign({}, ...entries.map((entry) => entry.keys));
  const all = keysOf(keysHere(viewer));
  const shared = keysOf(keysHere(viewer).filter(({ alone }) => !alone));
  let byTab = false; // how the focus came to where it is
  document.addEventListener("pointerdown", () => { byTab = false; });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Tab") byTab = true;
    const at = (selector) => event.target.closest?.(selector);
    const { scene, other } = viewer.state;
    const keys = other ? shared : all;
    if (!viewer.root.isConnected || event.ctrlKey || event.metaKey || event.altKey) return;
    if (viewer.find(".cam-help").open) return;
    // A field that has just brought another model has no use for these while its list is closed.
    const isFree = event.key.startsWith("Page") && at("[role=combobox][aria-expanded=false]");
    if (!isFree && event.key !== "Escape" && at(TYPING)) return;
    if (!isFree && at("input") && /^( |Arrow|Page|[+-])/.test(event.key)) return; // they move it or tick it
    // Space presses what was reached by Tab; after a click with the mouse it is ours.
    if (event.key === " " && byTab && at("button, summary, a")) return;
    if (!scene && !event.key.startsWith("Page")) return; // another photo may be stepped to
    const key = event.shiftKey && event.key.startsWith("Arrow") ? `shift ${event.key}` : event.key;
    if (keys[key] && keys[key](viewer) !== false) event.preventDefault();
  });
}
