// The panel around the canvas: labels, layers, legend, words and the state of the controls.

/** A small canvas that `drawMinis` paints; `data` says what of. */
function miniature(size, data) {
  const mini = make("canvas", { width: size, height: size });
  mini.setAttribute("aria-hidden", "true");
  Object.assign(mini.dataset, data);
  return mini;
}

/** Where a stage stands, in plain words: "First", "2 of 11", "Last"; `brief` as a tile of the strip has it: "2". */
function placeOfStage(layers, { name }, brief = false) {
  const stages = layers.filter((layer) => layer.stage);
  const place = stages.findIndex((layer) => layer.name === name);
  const isNarrow = brief && stages.length > 16; // then a tile has room for a number
  const ends = isNarrow ? {} : { 0: "First", [stages.length - 1]: "Last" };
  return ends[place] ?? (brief ? String(place + 1) : `${place + 1} of ${stages.length}`);
}

/** A layer in plain words and by its name: "Last · bn2 · 7 x 7"; or "All layers · 14 x 14". */
function layerTitle(layers, layer) {
  const { name, stage, parts, shape: [, height, width] } = layer;
  if (parts.length) return `All layers · ${height} x ${width}`;
  return [...(stage ? [placeOfStage(layers, layer)] : []), name, `${height} x ${width}`].join(" · ");
}

/** Where a map of a state lies: a layer, or the input itself. */
function placeTitle({ scene, method, known }, layer) {
  return isPixel(method) ? `Input · ${[...scene.input_size].reverse().join(" x ")}` : layerTitle(scene.layers, layer);
}

/** The filmstrip: the stages, and all layers at once. */
function buildStrip(viewer) {
  const { layers } = viewer.state.scene;
  viewer.find(".cam-strip").replaceChildren(
    ...stripOf(layers).map((layer) => {
      const { name } = layer;
      const button = make("button", { type: "button", title: layerTitle(layers, layer) }, miniature(48, { layer: name }),
        make("span", { textContent: layer.stage ? placeOfStage(layers, layer, true) : "All" }));
      button.setAttribute("aria-label", button.title);
      button.dataset.layer = name;
      button.addEventListener("click", () => viewer.set({ layer: name }));
      return button;
    }),
  );
}

/** The list of all layers that can be chosen; where the method is not there it says why. */
function fillLayers({ host, state, mapOf, choices }) {
  const { layers } = state.scene;
  const strip = stripOf(layers);
  // A finer layer is computed on request, which needs a server; without one its map must be here.
  const finer = layers.filter((layer) => !strip.includes(layer) && (host.maps || mapOf(layer.name, state.target)));
  const entry = (layer) => ({
    value: layer.name,
    title: layerTitle(layers, layer),
    group: strip.includes(layer) ? "Stages, from the photo to the answer" : "Finer layers",
    ...refusedAs(refusalOf(state, state.method, layer.name) && `not by ${methodOf(state.method).title}`),
  });
  choices.layer.fill([...strip, ...finer].map(entry));
}

/** The list of the models; what is not on the machine says how large it is. */
function buildModels({ state, choices }) {
  const ready = ({ ready: isReady }) => isReady;
  const entry = ({ name, title, megabytes, ready: isReady }) => ({
    value: name,
    title,
    note: isReady ? "" : `${Math.round(megabytes)} MB`,
    group: isReady ? "On this machine" : "To be downloaded",
  });
  choices.model.fill([...state.models.filter(ready), ...state.models.filter((each) => !ready(each))].map(entry));
}

/** The methods that can be chosen: all where a server computes their maps, else those that are here. */
function methodsHere({ host, state }) {
  const isHere = (name) => state.scene.maps.some((map) => map.method === name) || state.scene.pixels?.method === name;
  return optionOf("method").values.filter(({ name }) => host.maps || isHere(name));
}

/** Why a method can't be used at a layer, or for what is asked there; empty where it can. */
function refusalOf({ scene, layer, versus }, method, name = layer) {
  const { reason, knows_label: knowsLabel } = methodOf(method);
  if (isPixel(method) && scene.lacking?.[method]) return scene.lacking[method].replace("it needs", "needs");
  if (layerOf(scene, name).without.includes(method)) return `needs ${reason}`;
  return versus !== null && !knowsLabel ? "knows no label: it can't compare two" : "";
}

/** What a refusal makes of an entry of a list. */
const refusedAs = (reason) => (reason ? { disabled: true, note: reason } : {});

/** A method in a list: with what was found of it and what is known, or why it can't be used. */
const methodEntry = (state, noteOf = () => "") => ({ name, title, note, kind, forwards }) => ({
  value: name,
  title,
  note: [noteOf(name), kind === "pixel" ? `${forwards} forwards` : "", note].filter(Boolean).join(" · "),
  group: kind === "pixel" ? "Per pixel" : "From a layer",
  ...refusedAs(refusalOf(state, name)),
});

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
      button.addEventListener("click", () => viewer.chooseLabel(Number(button.dataset.target))); // live it changes
      return button;
    }),
  );
}

/** Probabilities, and with a part hidden those before and after. */
function drawLabels({ root, state }) {
  for (const button of root.querySelectorAll(".cam-labels button")) {
    const { index, probability } = labelOf(state.scene, Number(button.dataset.target));
    const now = state.answer ? state.answer.now[index] : probability;
    // In whole points, where both numbers are: of small ones the two numbers say more.
    const points = halfUp(100 * now) - halfUp(100 * probability);
    const change = Math.min(now, probability) < 0.0995 ? "" : `, ${points > 0 ? "+" : points < 0 ? "−" : "±"}${Math.abs(points)}`;
    button.querySelector(".cam-share").textContent = percentText(now);
    button.querySelector(".cam-change").textContent = state.answer
      ? `was ${percentText(probability)}${change}`
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
    if (isPixel(state.method) && mini.dataset.layer) { // the strip rests, and shows what it showed
      const map = viewer.mapOf(layer, target, state.layered);
      paintTile(mini, map, map && displayRange(ownRange(map), viewer.heat.evidence()), viewer.heat.settings());
      continue;
    }
    paintTile(mini, viewer.heat.seen(viewer.mapOf(layer, target)), viewer.heat.rangeFor(layer, target), viewer.heat.settings());
  }
}

// What the ends of the colours mean, beside their values.
const ENDS = { positive: ["none", "most evidence"], signed: ["against", "for the label"], minmax: ["least", "most"] };

/** The colours and the values they stand for; of a duel also whom either end speaks for. */
function drawLegend(viewer) {
  const { scene, layer, target, versus } = viewer.state;
  const range = viewer.heat.rangeFor(layer, target);
  const told = (end) => viewer.comparing.each((side) => {
    const its = side.heat.rangeFor(side.state.layer, side.state.target);
    return its ? valueText(its[end]) : "…";
  });
  viewer.find(".cam-legend").hidden = !range;
  if (!range) return;
  const context = viewer.find(".cam-legend-bar").getContext("2d");
  const image = context.createImageData(256, 1);
  new Uint32Array(image.data.buffer).set(viewer.heat.settings().pixels);
  context.putImageData(image, 0, 0);
  const [from, to] = versus === null ? ENDS[viewer.heat.evidence()] : [rivalText(scene, viewer.state), labelOf(scene, target).label];
  viewer.find(".cam-legend-from").textContent = `${told("from")} ${from}`;
  viewer.find(".cam-legend-to").textContent = `${told("to")} ${to}`;
  const zero = -range.from / (range.to - range.from);
  const mark = viewer.find(".cam-legend-zero");
  const isFree = !viewer.state.other && zero > 0.08 && zero < 0.92;
  mark.textContent = isFree ? "0" : ""; // at an end it is written already, and between two there is no room
  mark.style.left = `${100 * zero}%`;
  if (isFree && [".cam-legend-from", ".cam-legend-to"].some((end) => meets(mark, viewer.find(end)))) mark.textContent = "";
}

/** Whether the texts of two elements lie over each other, from left to right. */
function meets(one, other) {
  const [a, b] = [one, other].map((element) => {
    const text = document.createRange();
    text.selectNodeContents(element);
    return text.getBoundingClientRect();
  });
  return a.left < b.right && b.left < a.right;
}

const ONE_COLUMN = "(max-width: 900px)"; // as viewer.css has it

/** The title: names, which may be cut off, and behind each what must be read to its end. */
function writeTitle({ find }, parts) {
  const title = find(".cam-title");
  if (title.textContent === parts.flat().join("")) return;
  const span = (textContent) => make("span", { textContent });
  title.replaceChildren(...parts.map((part) => make("span", {}, ...part.map(span))));
  title.classList.toggle("cam-then", title.textContent.includes("→"));
}

/** Title, description, read-out: what is said must be what is seen. */
function drawWords(viewer) {
  const { state, canvas } = viewer;
  const { scene, layer, method, versus, answer, cell } = state;
  const map = viewer.mapOf(layer, state.target);
  const compared = viewer.comparing.said();
  const { index, label, probability } = labelOf(scene, state.target);
  const rival = versus === null ? null : rivalText(scene, state);
  // Where there is no room beside the picture the answer to hiding stands below it.
  const below = answer && matchMedia(ONE_COLUMN).matches;
  // The map is that of the whole photo, whatever is hidden of it.
  const before = regionsNow(state).length ? "Before hiding: " : "";
  const own = () => [below ? describeAnswer(state) : before + wordsOf(viewer, map, label, rival), describeSource(scene)].join(" ").trim();
  viewer.write(".cam-words", compared?.words.replaceAll(" %", "\u00a0%") ?? own());
  const now = answer ? `${percentText(probability)} → ${percentText(answer.now[index])}` : percentText(probability);
  const [first, ...others] = rivalsOf(state);
  const theirs = others.length || first === undefined ? "" : ` · ${percentText(answer ? answer.now[first] : labelOf(scene, first).probability)}`;
  const alone = [[label, ` · ${now}`], ...(rival ? [[` against ${againstText(scene, state)}`, theirs]] : [])];
  const title = compared ? [[compared.title, ""]] : alone;
  writeTitle(viewer, title);
  viewer.write(".cam-asked", describeAnswer(state));
  viewer.find(".cam-asked").classList.toggle("cam-answered", Boolean(answer));
  const facts = layerOf(scene, layer);
  const place = state.examples.findIndex(({ name }) => name === scene.example);
  viewer.write(".cam-count", place < 0 ? "" : `${place + 1} / ${state.examples.length}`);
  const several = scene.model.activation === "sigmoid" && scene.labels.length > 1 ? ["each label by itself"] : [];
  viewer.write(".cam-facts", [scene.model.title, placeTitle(state, facts), methodOf(method).title, ...several].join(" · "));
  viewer.find(".cam-facts").title = scene.model.note;
  const read = compared?.read ?? (map && cell ? describeCell(map, cell.row, cell.column, rival) : "");
  viewer.write(".cam-readout", read || (compared ? "" : describeSameMaps(viewer)));
  canvas.setAttribute("aria-label", `${scene.name || "Photo"}. ${title.flat().join("")}. ${viewer.find(".cam-words").textContent}`);
}

/** What the map says, or why it says nothing. */
function wordsOf(viewer, map, label, rival) {
  const { heat, host, state } = viewer;
  if (!map && isPixel(state.method) && !host.pixel) return `This file has the map of ${methodOf(state.method).title} for another label only.`;
  if (!map) return "This map is being computed …";
  if (!heat.rangeFor(state.layer, state.target)) return describeNothing(heat.evidence(), label);
  const method = methodOf(state.method);
  if (!method.knows_label) return describeWithoutLabel(map, method, state.scene);
  const weak = describeWeak(map, heat.rangeFor(state.layer, state.target));
  const gap = isPixel(method.name) ? state.known.told.get(pixelKey(state, method.name, state.target))?.text : "";
  const told = rival ? describeAgainst(map, label, state) : describe(map, label, state.scene);
  return [told, weak, gap].filter(Boolean).join(" ");
}

const OWN_FRAME = "own"; // in the list of framings: one that is moved on the photo

/** What stands in the controls that are no values of the state by themselves. */
function standsIn({ tool, scene }, name) {
  if (name === "cam-use") return ["read", "frame"].includes(tool) ? tool : "hide";
  if (name === "framing") return tool !== "frame" && valuesOf("framing").includes(scene?.framing) ? scene.framing : OWN_FRAME;
  return undefined;
}

/** The controls show the state, whoever changed it. */
function drawControls(viewer) {
  const { root, state, find, choices, host } = viewer;
  const { scene } = state;
  if (scene) buildRivals(viewer); // what is chosen must be in the list first
  for (const input of root.querySelectorAll("[data-control]")) {
    const { control } = input.dataset;
    const value = standsIn(state, control) ?? state[control] ?? "";
    if (input.type === "checkbox") input.checked = value;
    else if (input.value !== String(value)) input.value = value;
    if (input.type === "range") {
      input.setAttribute("aria-valuetext", percentText(input.max === "1" ? value : value / 100));
    }
  }
  for (const input of root.querySelectorAll("[type=radio]")) {
    input.checked = input.value === (standsIn(state, input.name) ?? state[input.name.replace("cam-", "")]);
  }
  viewer.cam.dataset.tool = state.tool;
  press(root, ".cam-examples button", ({ dataset }) => dataset.example === scene?.example);
  find(".cam-busy").hidden = state.waiting === 0;
  drawHidingControls(viewer);
  viewer.live?.draw();
  viewer.comparing.draw();
  find(".cam-canvas [data-control=split]").hidden = state.view !== "split" || !scene;
  if (!scene) return;
  if (host.open) choices.model.set(scene.model.name);
  choices.layer.set(state.layer);
  choices.layer.input.disabled = isPixel(state.method);
  find("[data-choice=layer]").title = isPixel(state.method) ? `${methodOf(state.method).title} explains the input itself, and no layer` : optionOf("layer").help;
  drawSettings(viewer);
  const strip = find(".cam-strip");
  if (isPixel(state.method)) strip.tabIndex = 0; // keys scroll it, where they reach none of its tiles
  else strip.removeAttribute("tabindex");
  find("[data-control=smooth]").disabled = !isPixel(state.method);
  const methods = viewer.trust.inOrder(methodsHere(viewer)); // those of a group stand together
  choices.method.fill([...methods.filter(({ name }) => !isPixel(name)), ...methods.filter(({ name }) => isPixel(name))].map(methodEntry(state, viewer.trust.noteOf)));
  choices.method.set(state.method);
  press(root, ".cam-strip button", ({ dataset }) => dataset.layer === state.layer);
  for (const button of root.querySelectorAll(".cam-strip button")) {
    const refusal = isPixel(state.method) ? "explains the input itself, and no layer" : refusalOf(state, state.method, button.dataset.layer);
    button.disabled = Boolean(refusal);
    button.title = refusal ? `${methodOf(state.method).title} ${refusal}` : button.ariaLabel;
  }
  press(root, ".cam-labels button", ({ dataset }) => Number(dataset.target) === state.target);
  // What would change nothing can't be used.
  choices.method.input.disabled = methodsHere(viewer).length < 2;
  find("[data-control=evidence]").disabled = find("[data-control=shared]").disabled = state.versus !== null;
  find("[data-control=versus]").disabled = !methodOf(state.method).knows_label;
  find("[data-control=strength]").disabled = state.versus === null;
  find("[data-control=colormap]").disabled = viewer.heat.evidence() === "signed";
  find("[data-control=opacity]").disabled = find("[data-control=strongest]").disabled = state.view === "photo";
  find(".cam-chip").textContent = scene.model.title;
  find(".cam-look-now").textContent = [optionOf("look"), optionOf("colormap")]
    .map(({ name, values }) => values.find((value) => value.name === state[name]).title).join(", ");
  const thumb = find(".cam-thumb");
  if (!thumb) return; // a file has no other photo
  thumb.replaceChildren();
  thumb.style.backgroundImage = `url("${scene.photo}")`;
  thumb.title = scene.name || "Your photo";
  thumb.setAttribute("aria-label", "Replace the photo");
}

/** Buttons of which one is chosen say which. */
function press(root, selector, isChosen) {
  for (const button of root.querySelectorAll(selector)) button.setAttribute("aria-pressed", String(isChosen(button)));
}

/** Scroll the filmstrip, and nothing else, until the layer is in the middle of it. */
function showInStrip({ find }) {
  const strip = find(".cam-strip");
  const button = strip.querySelector("[aria-pressed=true]");
  if (button) strip.scrollLeft = button.offsetLeft - (strip.clientWidth - button.clientWidth) / 2;
}
