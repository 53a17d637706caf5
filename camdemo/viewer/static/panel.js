// The panel around the canvas: labels, layers, legend, words and the state of the controls.

/** A small canvas that `drawMinis` paints; `data` says what of. */
function miniature(size, data) {
  const mini = make("canvas", { width: size, height: size });
  mini.setAttribute("aria-hidden", "true");
  Object.assign(mini.dataset, data);
  return mini;
}

/** The filmstrip of the stages, and the list of all layers. */
function buildLayers(viewer) {
  const { layers } = viewer.state.scene;
  const stages = layers.filter((layer) => layer.stage);
  const group = (label, members) =>
    make("optgroup", { label }, ...members.map(({ name, shape }) =>
      make("option", { value: name, textContent: `${name} · ${shape.join(" x ")}` })));
  // A finer layer is computed on request, which needs a server; without one its map must be here.
  const here = ({ name }) => viewer.host.maps || viewer.mapOf(name, viewer.state.target);
  const finer = layers.filter((layer) => !layer.stage && here(layer));
  const groups = [group("Stages", stages), group("Every finer layer", finer)];
  viewer.find("[data-control=layer]").replaceChildren(...groups.slice(0, finer.length ? 2 : 1));
  const names = [...stages, ...finer].map(({ name }) => make("option", { value: name }));
  viewer.find("#cam-all-layers").replaceChildren(...names);
  viewer.find(".cam-strip").replaceChildren(
    ...stages.map(({ name }) => {
      const mini = miniature(48, { layer: name });
      const button = make("button", { type: "button", title: name }, mini, make("span", { textContent: name }));
      button.dataset.layer = name;
      button.addEventListener("click", () => viewer.set({ layer: name }));
      return button;
    }),
  );
}

/** The methods that can be chosen: all where a server computes their maps, else those that are here. */
function methodsHere({ host, state }) {
  const isHere = (name) => state.scene.maps.some((map) => map.method === name);
  return optionOf("method").values.filter(({ name }) => host.maps || isHere(name));
}

/** The list of the methods. */
function buildMethods(viewer) {
  viewer.find("[data-control=method]").replaceChildren(...entriesOf(methodsHere(viewer)));
}

/** Whether two maps are the same but for the last digits. */
function areSame(one, other) {
  if (one.values.length !== other.values.length) return false;
  const { low, high } = rangeOf([one]);
  return one.values.every((value, cell) => Math.abs(value - other.values[cell]) <= 1e-5 * (high - low));
}

/** Why a switch between two methods changes nothing here; empty where it does. */
function describeSameMaps({ state, mapOf }) {
  const pair = ["gradcam", "hirescam"];
  const [plain, fine] = pair.map((method) => mapOf(state.layer, state.target, method));
  if (!pair.includes(state.method) || !plain || !fine || !areSame(plain, fine)) return "";
  return "At this layer HiResCAM is Grad-CAM: what follows only averages and adds up.";
}

/** The labels on the page: a bar and a small map each. */
function buildLabels(viewer) {
  viewer.find(".cam-labels").replaceChildren(
    ...viewer.state.scene.labels.map(({ index, label }, place) => {
      const button = make(
        "button",
        { type: "button", title: place < 5 ? `Key ${place + 1}` : "" },
        miniature(40, { target: index }),
        make("span", { className: "cam-name", textContent: label }),
        make("span", { className: "cam-share" }),
        make("span", { className: "cam-bar" }),
        make("span", { className: "cam-change" }),
      );
      button.dataset.target = index;
      button.addEventListener("click", () => viewer.chooseLabel(index));
      return button;
    }),
  );
}

/** Probabilities, and with a part hidden those before and after. */
function drawLabels({ root, state }) {
  for (const button of root.querySelectorAll(".cam-labels button")) {
    const { index, probability } = labelOf(state.scene, Number(button.dataset.target));
    const now = state.answer ? state.answer.now[index] : probability;
    const points = Math.round(100 * now) - Math.round(100 * probability);
    const sign = points > 0 ? "+" : points < 0 ? "−" : "±";
    button.querySelector(".cam-share").textContent = percentText(now);
    button.querySelector(".cam-change").textContent = state.answer
      ? `was ${percentText(probability)}, ${sign}${Math.abs(points)}`
      : "";
    const bar = button.querySelector(".cam-bar");
    bar.style.setProperty("--share", String(now));
    bar.style.setProperty("--before", String(probability));
    bar.classList.toggle("cam-changed", Boolean(state.answer));
  }
}

/** Paint the small maps of the filmstrip and of the labels. */
function drawMinis(viewer) {
  const { state } = viewer;
  for (const mini of viewer.root.querySelectorAll(".cam-strip canvas, .cam-labels canvas")) {
    const layer = mini.dataset.layer ?? state.layer;
    const target = Number(mini.dataset.target ?? state.target);
    paintTile(mini, viewer.mapOf(layer, target), viewer.heat.rangeFor(layer, target), viewer.heat.settings());
  }
}

/** The colours and the values they stand for; of a duel also whom either end speaks for. */
function drawLegend(viewer) {
  const { scene, layer, target, versus } = viewer.state;
  const range = viewer.heat.rangeFor(layer, target);
  viewer.find(".cam-legend").hidden = !range;
  if (!range) return;
  const context = viewer.find(".cam-legend-bar").getContext("2d");
  const image = context.createImageData(256, 1);
  new Uint32Array(image.data.buffer).set(viewer.heat.settings().pixels);
  context.putImageData(image, 0, 0);
  const [rival, own] = versus === null ? ["", ""] : [versus, target].map((index) => ` ${labelOf(scene, index).label}`);
  viewer.find(".cam-legend-from").textContent = valueText(range.from) + rival;
  viewer.find(".cam-legend-to").textContent = valueText(range.to) + own;
  const zero = -range.from / (range.to - range.from);
  const mark = viewer.find(".cam-legend-zero");
  mark.textContent = zero > 0.08 && zero < 0.92 ? "0" : ""; // at an end it is written already
  mark.style.left = `${100 * zero}%`;
}

/** Title, caveat, description, read-out. */
function drawWords(viewer) {
  const { state, canvas } = viewer;
  const map = viewer.mapOf(state.layer, state.target);
  const label = labelOf(state.scene, state.target);
  const rival = state.versus === null ? null : labelOf(state.scene, state.versus);
  let words = "";
  if (map) words = rival ? describeDuel(map, label.label, rival.label) : describe(map, label.label);
  const weak = map ? describeWeak(map, viewer.heat.rangeFor(state.layer, state.target)) : "";
  if (weak) words += ` ${weak}`;
  let note = rival ? `against ${rival.label} · ${percentText(rival.probability)}` : "";
  if (!map) note = "This map is being computed …";
  else if (!viewer.heat.rangeFor(state.layer, state.target)) {
    note = describeNothing(viewer.heat.evidence(), label.label);
  }
  viewer.write(".cam-title", `${label.label} · ${percentText(label.probability)}`);
  viewer.write(".cam-note", note);
  viewer.write(".cam-words", words);
  viewer.write(".cam-asked", describeAnswer(state));
  viewer.find(".cam-asked").classList.toggle("cam-answered", Boolean(state.answer));
  viewer.write(".cam-facts", state.scene.facts);
  const { row, column } = state.cell ?? {};
  const read = map && state.cell ? describeCell(map, row, column, rival?.label) : "";
  viewer.write(".cam-readout", read || describeSameMaps(viewer));
  canvas.setAttribute("aria-label", `${state.scene.name || "Photo"}. ${words}`);
}

/** The controls show the state, whoever changed it. */
function drawControls(viewer) {
  const { root, state, find } = viewer;
  if (state.scene) buildRivals(viewer);
  for (const input of root.querySelectorAll("[data-control]")) {
    const value = state[input.dataset.control] ?? "";
    if (input.type === "checkbox") input.checked = value;
    else if (input.dataset.control in state && input.value !== String(value)) input.value = value;
    if (input.type === "range") {
      input.setAttribute("aria-valuetext", percentText(input.max === "1" ? value : value / 100));
    }
  }
  for (const input of root.querySelectorAll("[type=radio]")) {
    input.checked = input.value === state[input.name.replace("cam-", "")];
  }
  viewer.cam.dataset.tool = state.tool;
  for (const button of root.querySelectorAll(".cam-strip button")) {
    button.setAttribute("aria-pressed", String(button.dataset.layer === state.layer));
  }
  for (const button of root.querySelectorAll(".cam-labels button")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.target) === state.target));
  }
  // What would change nothing can't be used.
  find("[data-control=method]").disabled = find("[data-control=method]").options.length < 2;
  find("[data-control=evidence]").disabled = find("[data-control=shared]").disabled = state.versus !== null;
  find("[data-control=colormap]").disabled = viewer.heat.evidence() === "signed";
  find("[data-control=opacity]").disabled = state.view === "heat" || state.view === "photo";
  find("[data-control=strongest]").disabled = state.view === "photo";
  find(".cam-split").hidden = state.view !== "split";
  find(".cam-busy").hidden = state.waiting === 0;
  drawHidingControls(viewer);
  find("[data-action=unframe]").disabled = (state.scene?.framing ?? "crop") === "crop";
}

/** Scroll the filmstrip, and nothing else, until the layer is in the middle of it. */
function showInStrip(viewer) {
  const strip = viewer.find(".cam-strip");
  const button = strip.querySelector("[aria-pressed=true]");
  if (button) strip.scrollLeft = button.offsetLeft - (strip.clientWidth - button.clientWidth) / 2;
}
