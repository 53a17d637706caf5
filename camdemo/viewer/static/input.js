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

  const divider = {
    down: () => ({}),
    move: (_start, { x }) => viewer.set({ split: within(x / canvas.width, 1) }),
    up: () => {},
  };

  function toolAt({ x }, scale) {
    const nearDivider = state.view === "split" && Math.abs(x - state.split * canvas.width) < NEAR * scale;
    return nearDivider ? divider : tools[state.tool];
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (!state.scene || event.button !== 0) return;
    const position = positionOf(event, canvas);
    const tool = toolAt(position, position.scale);
    const start = tool?.down(position, position.scale);
    if (!start) return point(event);
    viewer.drag = { ...tool, start };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (viewer.drag) viewer.drag.move(viewer.drag.start, positionOf(event, canvas));
    else point(event);
  });
  canvas.addEventListener("pointerup", () => {
    const ended = viewer.drag;
    viewer.drag = null;
    ended?.up();
  });
  canvas.addEventListener("pointercancel", () => cancel(viewer));
  canvas.addEventListener("dblclick", () => {
    if (state.scene && viewer.host.reframe) viewer.framing.reset();
  });
  canvas.addEventListener("pointerleave", () => {
    if (state.cell && !state.reading) viewer.set({ cell: null });
  });

  function point(event) {
    if (!state.scene) return;
    const cell = cellAt(viewer, positionOf(event, canvas));
    if (cell?.row !== state.cell?.row || cell?.column !== state.cell?.column) viewer.set({ cell });
  }
}

/** Listen to the controls. */
function listenToControls(viewer) {
  viewer.root.addEventListener("input", ({ target }) => {
    const { control } = target.dataset;
    if (target.type === "radio") viewer.set({ [target.name.replace("cam-", "")]: target.value });
    if (!(control in viewer.state)) return; // the two fields that search have listeners of their own
    const values = { checkbox: target.checked, range: Number(target.value) };
    const index = target.value === "" ? null : Number(target.value);
    viewer.set({ [control]: control === "versus" ? index : (values[target.type] ?? target.value) });
    if (control === "fill" || control === "keep") viewer.askBack();
  });
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
    const answer = await viewer.host.labels();
    if (answer.error) {
      viewer.say(answer.error); // the next time it is asked for again
      return;
    }
    names = answer;
    viewer.find("#cam-all-labels").replaceChildren(...names.map((value) => make("option", { value })));
  };
  field.addEventListener("focus", load);
  field.addEventListener("change", async () => {
    await load();
    if (!names) return;
    const typed = field.value.trim();
    const exact = names.indexOf(typed); // "Cardigan" is a dog, "cardigan" a garment
    const index = exact >= 0 ? exact : names.findIndex((name) => name.toLowerCase() === typed.toLowerCase());
    viewer.say(index < 0 && typed ? `There is no label "${typed}". Choose one of the list.` : "");
    if (index < 0) return;
    field.value = "";
    viewer.addLabel(index);
  });
}
