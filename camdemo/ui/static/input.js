// What a person does: keys, pointer and controls. Each changes the state through viewer.set.

const EVIDENCE = ["positive", "signed", "minmax"];

// Where a key is a letter, or a choice from a list.
const TYPING = "input:not([type=radio], [type=checkbox], [type=range]), textarea, select, [contenteditable], [role=listbox]";

/** The next of several values, the first after the last. */
function after(value, values) {
  return values[(values.indexOf(value) + 1) % values.length];
}

/** A number within 0 and the largest. */
function within(value, largest) {
  return Math.min(Math.max(value, 0), largest);
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
    f: () => stageMode(viewer, !cam.classList.contains("cam-fills-screen")),
    Escape: () => cam.classList.contains("cam-fills-screen") && stageMode(viewer, false),
    PageDown: () => viewer.stepDeck(1),
    PageUp: () => viewer.stepDeck(-1),
    "?": () => viewer.find(".cam-help").showModal(),
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
    if (event.key.startsWith("Page") ? !viewer.hasDeck() : !scene) return;
    const digit = "12345".indexOf(event.key);
    if (digit >= 0 && scene.labels[digit]) viewer.chooseLabel(scene.labels[digit].index);
    else if (!keys[event.key] || keys[event.key]() === false) return;
    event.preventDefault();
  });
  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement) viewer.cam.classList.remove("cam-fills-screen");
    showInStrip(viewer);
  });
}

/** Where a pointer is, in pixels of the canvas, which is fitted into its element. */
function positionOf(event, canvas) {
  const area = canvas.getBoundingClientRect();
  const factor = Math.max(canvas.width / area.width, canvas.height / area.height);
  return {
    x: (event.clientX - area.left - area.width / 2) * factor + canvas.width / 2,
    y: (event.clientY - area.top - area.height / 2) * factor + canvas.height / 2,
  };
}

/** Listen to mouse, pen and finger on the canvas: read a cell, or drag the divider. */
function listenToPointer(viewer) {
  const { canvas, state } = viewer;
  const point = (event) => {
    if (!state.scene) return;
    const { x, y } = positionOf(event, canvas);
    if (state.view === "split" && event.buttons === 1) {
      viewer.set({ split: within(x / canvas.width, 1) });
      return;
    }
    const map = viewer.mapOf(state.layer, state.target);
    if (!map) return;
    const [left, top, right, bottom] = state.scene.box;
    const row = Math.floor(((y - top) / (bottom - top)) * map.height);
    const column = Math.floor(((x - left) / (right - left)) * map.width);
    const inside = row === within(row, map.height - 1) && column === within(column, map.width - 1);
    const cell = inside ? { row, column } : null;
    if (cell?.row !== state.cell?.row || cell?.column !== state.cell?.column) viewer.set({ cell });
  };
  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  canvas.addEventListener("pointerleave", () => {
    if (state.cell && !state.reading) viewer.set({ cell: null });
  });
}

/** Listen to the controls. */
function listenToControls(viewer) {
  viewer.root.addEventListener("input", ({ target }) => {
    const { control } = target.dataset;
    if (target.name === "cam-view") viewer.set({ view: target.value });
    if (!(control in viewer.state)) return; // the two fields that search have listeners of their own
    const values = { checkbox: target.checked, range: Number(target.value) };
    viewer.set({ [control]: values[target.type] ?? target.value });
  });
  viewer.find("[data-control=colormap]").append(
    ...viewer.colormaps.map((name) => make("option", { value: name, textContent: name })),
  );
}

/** The field that finds a layer: by its name, or by a part that only one name has. */
function listenToFind(viewer) {
  const field = viewer.find("[data-control=find]");
  field.addEventListener("change", () => {
    const typed = field.value.trim();
    const names = [...viewer.find("[data-control=layer]").options].map((option) => option.value);
    const found = names.includes(typed) ? [typed] : names.filter((name) => name.includes(typed));
    if (!typed) return;
    if (found.length === 1) {
      field.value = "";
      viewer.say("");
      viewer.set({ layer: found[0] });
    } else {
      viewer.say(`${found.length || "No"} layers have "${typed}" in their names. Choose one of the list.`);
    }
  });
}

/** The field that adds any label; its list is fetched when it is needed first. */
function listenToAdd(viewer) {
  const field = viewer.find("[data-control=add]");
  let names = null;
  const load = async () => {
    if (names) return;
    names = await viewer.host.labels();
    viewer.find("#cam-all-labels").replaceChildren(...names.map((value) => make("option", { value })));
  };
  field.addEventListener("focus", load);
  field.addEventListener("change", async () => {
    await load();
    const typed = field.value.trim();
    const exact = names.indexOf(typed); // "Cardigan" is a dog, "cardigan" a garment
    const index = exact >= 0 ? exact : names.findIndex((name) => name.toLowerCase() === typed.toLowerCase());
    viewer.say(index < 0 && typed ? `There is no label "${typed}". Choose one of the list.` : "");
    if (index < 0) return;
    field.value = "";
    viewer.addLabel(index);
  });
}
