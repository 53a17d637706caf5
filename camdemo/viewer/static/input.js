// What a person does with mouse, pen and finger, and with the controls. Each changes the state
// through viewer.set.

/** Leave what is being drawn or moved as it was. */
function cancel(viewer) {
  viewer.drag = null;
  viewer.set({ draft: null });
  viewer.framing.leave();
}

/** Where a pointer is, in pixels of the canvas, which is fitted into its element; and their size. */
function positionOf(event, canvas) {
  const area = canvas.getBoundingClientRect();
  const factor = Math.max(canvas.width / area.width, canvas.height / area.height);
  return {
    scale: factor,
    x: (event.clientX - area.left - area.width / 2) * factor + canvas.width / 2,
    y: (event.clientY - area.top - area.height / 2) * factor + canvas.height / 2,
  };
}

/** Listen to mouse, pen and finger on the canvas: read a cell, drag the divider, use a tool. */
function listenToPointer(viewer) {
  const { canvas, state } = viewer;
  const tools = { ...hidingTools(viewer), frame: viewer.framing.tool };
  const NEAR = 16; // CSS pixels at which the divider is gripped
  const HOLD = 350; // milliseconds

  const divider = {
    down: () => ({}),
    move: (_start, { x, width }) => viewer.set({ split: within(x / width, 1) }),
    up: () => {},
  };

  /** Where a pointer is on the picture that it points at: null beside the pictures. */
  const positionAt = (event) => viewer.comparing.placeOn(positionOf(event, canvas));

  function toolAt({ x, scale, width }) {
    const nearDivider = state.view === "split" && Math.abs(x - state.split * width) < NEAR * scale;
    return nearDivider ? divider : tools[state.tool];
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (!state.scene || event.button !== 0) return;
    viewer.say(""); // what was said is read, and stands before the picture no longer
    const position = positionAt(event);
    const tool = position && toolAt(position);
    const start = tool?.down(position, position.scale);
    if (!start) return point(event);
    viewer.drag = { ...tool, start };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!viewer.drag) return point(event);
    const position = positionAt(event);
    if (position) viewer.drag.move(viewer.drag.start, position);
  });
  canvas.addEventListener("pointerup", () => {
    const ended = viewer.drag;
    viewer.drag = null;
    ended?.up();
  });
  canvas.addEventListener("pointercancel", () => cancel(viewer));
  canvas.addEventListener("dblclick", () => {
    if (state.scene && viewer.host.open) viewer.framing.reset();
  });
  canvas.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "touch") return; // what a tap reads stays until the next
    if (state.cell && !state.reading) viewer.set({ cell: null });
  });
  let hold; // a finger that stays sees the photo alone
  const letGo = () => {
    clearTimeout(hold);
    if (state.plain) viewer.set({ plain: false });
  };
  canvas.addEventListener("pointerdown", ({ pointerType }) => {
    if (pointerType === "touch" && state.tool === "read") hold = setTimeout(() => viewer.set({ plain: true }), HOLD);
  });
  for (const kind of ["pointerup", "pointercancel", "pointerleave"]) canvas.addEventListener(kind, letGo);
  canvas.addEventListener("contextmenu", (event) => state.plain && event.preventDefault());

  function point(event) {
    if (!state.scene) return;
    const cell = viewer.comparing.cellOn(positionAt(event));
    const told = (of) => String([of?.row, of?.column, of?.place]);
    if (told(cell) !== told(state.cell)) viewer.set({ cell });
  }
}

/** Listen to the controls that are made from options; see combobox.js for those that are searched. */
function listenToControls(viewer) {
  const { state } = viewer;
  const choose = {
    "cam-use": (use) => ({ tool: use === "hide" ? state.hider : use }),
    hider: (hider) => ({ hider, tool: hider }),
    versus: (given) => ({ versus: { "": null, [OTHERS]: OTHERS }[given] ?? (given ? Number(given) : null) }),
  };
  // A map that the server must compute waits until the slider rests.
  const isLater = (name) => name === "strength" && !methodOf(state.method).linear;
  viewer.root.addEventListener("change", ({ target }) => {
    if (isLater(target.dataset.control)) viewer.set({ strength: Number(target.value) });
  });
  viewer.root.addEventListener("input", ({ target }) => {
    const name = target.dataset.control ?? target.name.replace(/^cam-(?!use)/, "");
    if (isLater(name)) return;
    if (name === "cam-use" || name === "tool" || name === "framing") showResult(viewer);
    if (name === "tool") viewer.brought = null; // it was chosen
    if (name === "framing") return chooseFraming(viewer, target.value);
    if (!(name in state || name in choose)) return; // a field that searches listens itself
    const value = { checkbox: target.checked, range: Number(target.value) }[target.type] ?? target.value;
    viewer.set(choose[name]?.(value) ?? { [name]: value });
    if (name === "fill" || name === "keep") viewer.askBack();
  });
}

/** What the model is shown: one of the framings, or a frame that is moved on the photo. */
function chooseFraming(viewer, framing) {
  if (framing === OWN_FRAME) return viewer.set({ tool: "frame" });
  Object.assign(viewer.state, { framing, tool: viewer.state.tool === "frame" ? "read" : viewer.state.tool });
  return viewer.open({ framing });
}

/** The fields that are searched: model, layer, method, and any label to be added. */
function choicesOf(viewer) {
  const { find, host } = viewer;
  const choice = (name, facts) => comboboxOf(find(`[data-choice=${name}]`) ?? make("div", {}), facts);
  const optional = (name, choose) => {
    const { title, help } = optionOf(name);
    return choice(name, { title, help, choose });
  };
  const add = choice("add", {
    title: "Add a label",
    empty: "any of all labels",
    choose: async (index) => {
      await viewer.addLabel(index);
      add.set(null);
    },
  });
  let asked = null; // whose labels: the model's vocabulary
  add.input.addEventListener("focus", async () => {
    const { name, vocabulary } = viewer.state.scene?.model ?? {};
    if (!name || asked === vocabulary || !host.labels) return;
    asked = vocabulary;
    const { labels, error } = await host.labels({ model: name });
    if (asked !== vocabulary) return;
    if (error) {
      asked = null; // the next time it is asked for again
      viewer.say(error, "add");
    } else add.fill(labels.map((title, value) => ({ value, title })));
  });
  return {
    model: optional("model", (model) => viewer.open({ model }, { at: "model" })),
    layer: optional("layer", (layer) => viewer.set({ layer })),
    method: optional("method", (method) => viewer.set(methodChosen(viewer, method))),
    add,
  };
}
