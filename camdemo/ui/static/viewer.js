// The viewer: one state, and one draw() that paints from it. The same code runs in the page,
// in the file that a person takes away, and in a notebook.

const EVIDENCE = ["positive", "signed", "minmax"];
const MARGIN_LIGHT = 0.4; // how bright the margin that the model never saw is left

/** The entry of a label among those on the page. */
function labelOf(scene, index) {
  return scene.labels.find((label) => label.index === index);
}

/**
 * Bring a viewer to life inside `root`, which holds viewer.html.
 *
 * `host` is what differs between the page and a file:
 *   palettes   {name: base64 of 256 RGB colours}
 *   maps       async ({layers, targets}) -> {maps, labels}; absent where no server is
 *   deck       {size, scene: async (place) -> scene} for Page Up and Page Down; may be absent
 *   labels     async () -> all names that can be added; absent where no server is
 *   page       async () -> HTML of the file to take away; absent in that file itself
 * Returns {show(scene), state}.
 */
function mountViewer(root, host) {
  const find = (selector) => root.querySelector(selector);
  const frame = root.closest("#viewer") ?? root;
  const cam = find(".cam");
  const canvas = find(".cam-picture");
  const palettes = Object.fromEntries(
    Object.entries(host.palettes).map(([name, base64]) => [name, pixelsOfPalette(base64)]),
  );
  const colormaps = Object.keys(palettes).filter((name) => name !== "signed");

  const state = {
    scene: null,
    photo: null, // the decoded display copy
    maps: new Map(), // "layer/target" -> map
    layer: "",
    target: 0,
    pinned: null, // the label that a person chose for this photo
    view: "overlay",
    opacity: 0.5,
    colormap: colormaps[0],
    evidence: "positive",
    strongest: 100,
    shared: false, // one scale for all labels
    split: 0.5,
    cell: null, // {row, column} that is read out
    reading: false, // the arrow keys move the cell
    waiting: 0, // requests under way
  };
  let frames = 0;
  const painted = { heat: "", minis: "", shown: null }; // what the caches below were painted from
  const heat = document.createElement("canvas");
  const asked = new Set();
  const deck = []; // complete scenes, in memory so that a step needs no wait
  let place = -1; // of the scene on the page in the deck
  let allLabels = null;

  // ---- what the state means ----

  const mapOf = (layer, target) => state.maps.get(`${layer}/${target}`);
  const stages = () => state.scene.layers.filter((layer) => layer.stage).map((layer) => layer.name);

  function rangeFor(layer, target) {
    const map = mapOf(layer, target);
    if (!map) return null;
    const all = state.scene.labels.map((label) => mapOf(layer, label.index)).filter(Boolean);
    return displayRange(rangeOf(state.shared ? all : [map]), state.evidence);
  }

  function heatSettings() {
    const name = state.evidence === "signed" ? "signed" : state.colormap;
    return { evidence: state.evidence, pixels: palettes[name], strongest: state.strongest };
  }

  function heatKey() {
    return [
      state.scene.id, state.layer, state.target, state.evidence, state.colormap, state.strongest,
      state.shared, state.maps.size, canvas.width, canvas.height,
    ].join("|");
  }

  // ---- painting ----

  /** Paint the picture of the given view into a context of the photo's size. */
  function paint(context, view, photo, box, heatCanvas) {
    const { width, height } = context.canvas;
    context.globalAlpha = 1;
    context.drawImage(photo, 0, 0, width, height);
    if (view === "photo" || !heatCanvas) return;
    context.globalAlpha = view === "heat" ? 1 : state.opacity;
    context.drawImage(heatCanvas, box[0], box[1]);
    context.globalAlpha = 1;
    dimMargin(context, box);
    if (view === "split") {
      const edge = Math.round(state.split * width);
      context.drawImage(photo, 0, 0, (edge / width) * photo.width, photo.height, 0, 0, edge, height);
      context.fillStyle = "#ffffff";
      context.fillRect(edge - 1, 0, Math.max(2, Math.round(width / 400)), height);
    }
  }

  /** Dim and outline what the model did not see; the line lies on the margin. */
  function dimMargin(context, [left, top, right, bottom]) {
    const { width, height } = context.canvas;
    if (right - left === width && bottom - top === height) return;
    context.fillStyle = `rgba(0, 0, 0, ${1 - MARGIN_LIGHT})`;
    const around = (l, t, r, b) => {
      context.fillRect(l, t, r - l, top - t);
      context.fillRect(l, bottom, r - l, b - bottom);
      context.fillRect(l, top, left - l, bottom - top);
      context.fillRect(right, top, r - right, bottom - top);
    };
    around(0, 0, width, height);
    context.fillStyle = "#ffffff";
    const line = Math.max(1, Math.round(Math.max(width, height) / 500));
    around(
      Math.max(left - line, 0), Math.max(top - line, 0),
      Math.min(right + line, width), Math.min(bottom + line, height),
    );
  }

  /** The heat of the current map at the size of the box, or null when it says nothing. */
  function currentHeat() {
    const range = rangeFor(state.layer, state.target);
    if (!range) return null;
    const key = heatKey();
    if (painted.heat !== key) {
      const [left, top, right, bottom] = state.scene.box;
      const map = mapOf(state.layer, state.target);
      const image = heatOf(map, range, heatSettings(), bottom - top, right - left);
      heat.width = image.width;
      heat.height = image.height;
      heat.getContext("2d").putImageData(image, 0, 0);
      painted.heat = key;
    }
    return heat;
  }

  function paintMini(mini, layer, target) {
    const range = rangeFor(layer, target);
    const context = mini.getContext("2d");
    context.clearRect(0, 0, mini.width, mini.height);
    if (!range) return;
    const settings = { ...heatSettings(), strongest: 100 };
    const map = mapOf(layer, target);
    context.putImageData(heatOf(map, range, settings, mini.height, mini.width), 0, 0);
  }

  function paintMinis() {
    const key = heatKey() + state.scene.labels.length;
    if (painted.minis === key) return;
    painted.minis = key;
    root.querySelectorAll(".cam-strip canvas").forEach((mini) => {
      paintMini(mini, mini.dataset.layer, state.target);
    });
    root.querySelectorAll(".cam-labels canvas").forEach((mini) => {
      paintMini(mini, state.layer, Number(mini.dataset.target));
    });
  }

  function drawCell(context) {
    const map = mapOf(state.layer, state.target);
    if (!state.cell || !map || state.view === "photo") return;
    const [left, top, right, bottom] = state.scene.box;
    const width = (right - left) / map.width;
    const height = (bottom - top) / map.height;
    const line = Math.max(2, canvas.width / 400);
    for (const [colour, thick] of [["#000000", 2 * line], ["#ffffff", line]]) {
      context.strokeStyle = colour;
      context.lineWidth = thick;
      context.strokeRect(
        left + state.cell.column * width, top + state.cell.row * height, width, height,
      );
    }
  }

  function drawLegend() {
    const range = rangeFor(state.layer, state.target);
    find(".cam-legend").hidden = !range;
    if (!range) return;
    const context = find(".cam-legend-bar").getContext("2d");
    const image = context.createImageData(256, 1);
    new Uint32Array(image.data.buffer).set(heatSettings().pixels);
    context.putImageData(image, 0, 0);
    const zero = (0 - range.from) / (range.to - range.from);
    find(".cam-legend-from").textContent = valueText(range.from);
    find(".cam-legend-to").textContent = valueText(range.to);
    const mark = find(".cam-legend-zero");
    mark.textContent = zero > 0.08 && zero < 0.92 ? "0" : "";
    mark.style.left = `${100 * zero}%`;
  }

  function drawWords() {
    const map = mapOf(state.layer, state.target);
    const label = labelOf(state.scene, state.target);
    const words = map ? describe(map, label.label) : "";
    const empty = map && !rangeFor(state.layer, state.target);
    find(".cam-title").textContent = `${label.label} · ${percentText(label.probability)}`;
    find(".cam-note").textContent = !map
      ? "This map is being computed …"
      : empty
        ? state.evidence === "positive" ? words : "The map is the same everywhere at this layer."
        : "";
    find(".cam-words").textContent = words;
    canvas.setAttribute("aria-label", `${state.scene.name || "Photo"}. ${words}`);
    const { row, column } = state.cell ?? {};
    find(".cam-readout").textContent = map && state.cell ? describeCell(map, row, column) : "";
    find(".cam-facts").textContent = state.scene.facts;
  }

  function drawControls() {
    for (const input of root.querySelectorAll("[data-control]")) {
      const value = state[input.dataset.control];
      if (input.type === "checkbox") input.checked = value;
      else if (value !== undefined && input.value !== String(value)) input.value = value;
      if (input.type === "range") {
        input.setAttribute("aria-valuetext", percentText(input.max === "1" ? value : value / 100));
      }
    }
    root.querySelectorAll("[name=cam-view]").forEach((input) => {
      input.checked = input.value === state.view;
    });
    root.querySelectorAll(".cam-strip button").forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.layer === state.layer));
    });
    root.querySelectorAll(".cam-labels button").forEach((button) => {
      button.setAttribute("aria-pressed", String(Number(button.dataset.target) === state.target));
    });
    find("[data-control=colormap]").disabled = state.evidence === "signed";
    find("[data-control=opacity]").disabled = state.view === "heat" || state.view === "photo";
    find(".cam-split").hidden = state.view !== "split";
    find(".cam-busy").hidden = state.waiting === 0;
  }

  function draw() {
    if (state.scene) {
      const context = canvas.getContext("2d");
      paint(context, state.view, state.photo, state.scene.box, currentHeat());
      drawCell(context);
      paintMinis();
      drawLegend();
      drawWords();
      if (!mapOf(state.layer, state.target)) ask([state.layer], [state.target]);
    }
    drawControls();
    showInStrip();
    frame.dataset.frame = String(++frames);
  }

  /** Scroll the filmstrip, and nothing else, until the layer is in it. */
  function showInStrip() {
    const strip = find(".cam-strip");
    const button = strip.querySelector("[aria-pressed=true]");
    if (!button || painted.shown === button) return;
    painted.shown = button;
    strip.scrollLeft = button.offsetLeft - (strip.clientWidth - button.clientWidth) / 2;
  }

  /** Change the state and paint. */
  function set(changes) {
    Object.assign(state, changes);
    draw();
  }

  // ---- what comes from the server ----

  function keep(packets) {
    for (const packet of packets) {
      state.maps.set(`${packet.layer}/${packet.target}`, decodeMap(packet));
    }
  }

  /** Ask for maps; null means every stage, or the labels on the page. Each is asked for once. */
  async function ask(layers, targets) {
    if (!host.maps) return;
    const { scene } = state;
    const question = JSON.stringify([scene.id, layers, targets]);
    if (asked.has(question)) return;
    asked.add(question);
    state.waiting++;
    drawControls();
    try {
      const answer = await host.maps({ id: scene.id, layers, targets });
      if (state.scene !== scene) return; // another photo came meanwhile
      if (answer.error) throw new Error(answer.error);
      keep(answer.maps);
      for (const label of answer.labels) {
        if (!labelOf(scene, label.index)) scene.labels.push(label);
      }
      buildLabels();
    } catch (error) {
      asked.delete(question);
      say(error.message);
    } finally {
      state.waiting--;
      if (state.scene === scene) draw();
      else drawControls();
    }
  }

  /** Back to the page as it was before the first photo. */
  function clear() {
    state.scene = null;
    cam.dataset.empty = "true";
    find(".cam-title").textContent = "Choose a photo";
    find(".cam-note").textContent = "Upload one, take one, or click an example.";
    for (const name of [".cam-words", ".cam-readout"]) find(name).textContent = "";
    draw();
  }

  /** Show another explanation. What a person chose stays chosen where it still makes sense. */
  async function show(scene) {
    if (!scene) {
      clear();
      return;
    }
    const photo = new Image();
    photo.src = scene.photo;
    await photo.decode();
    const before = state.scene;
    const samePhoto = before && before.photo === scene.photo;
    const sameModel = before && before.model.name === scene.model.name;
    const { layer, pinned } = state;
    Object.assign(state, { scene, photo, cell: null, maps: new Map() }, scene.wanted ?? {});
    asked.clear();
    state.layer = scene.layer;
    state.target = scene.target;
    state.pinned = samePhoto ? pinned : null;
    if (sameModel && scene.layers.some((entry) => entry.name === layer)) state.layer = layer;
    keep(scene.maps);
    canvas.width = photo.naturalWidth;
    canvas.height = photo.naturalHeight;
    cam.dataset.empty = "false";
    buildLayers();
    buildLabels();
    if (state.pinned !== null && labelOf(scene, state.pinned)) state.target = state.pinned;
    draw();
    if (!scene.complete) {
      await new Promise(requestAnimationFrame); // the first map is on the screen before the rest
      await ask(null, null);
    }
    if (state.scene === scene && state.pinned !== null && state.target !== state.pinned) {
      await addLabel(state.pinned);
    }
  }

  // ---- parts of the page that depend on the explanation ----

  function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  function miniature(size, data) {
    const mini = element("canvas", { width: size, height: size });
    mini.setAttribute("aria-hidden", "true");
    Object.assign(mini.dataset, data);
    return mini;
  }

  function buildLayers() {
    const { layers } = state.scene;
    const option = ({ name, shape }) =>
      element("option", { value: name, textContent: `${name} · ${shape.join(" x ")}` });
    const group = (title, members) => element("optgroup", { label: title }, ...members.map(option));
    const finer = host.maps ? layers.filter((layer) => !layer.stage) : [];
    const groups = [group("Stages", layers.filter((layer) => layer.stage))];
    if (finer.length) groups.push(group("Every finer layer", finer));
    find("[data-control=layer]").replaceChildren(...groups);
    find(".cam-strip").replaceChildren(
      ...stages().map((name) => {
        const button = element("button", { type: "button", title: name }, miniature(48, { layer: name }));
        button.append(element("span", { textContent: name }));
        button.dataset.layer = name;
        button.addEventListener("click", () => set({ layer: name }));
        return button;
      }),
    );
  }

  function buildLabels() {
    painted.minis = "";
    find(".cam-labels").replaceChildren(
      ...state.scene.labels.map(({ index, label, probability }, place) => {
        const bar = element("span", { className: "cam-bar" });
        bar.style.setProperty("--share", String(probability));
        const button = element(
          "button", { type: "button" },
          miniature(40, { target: index }),
          element("span", { className: "cam-name", textContent: label }),
          element("span", { className: "cam-share", textContent: percentText(probability) }),
          bar,
        );
        button.dataset.target = index;
        if (place < 5) button.title = `Key ${place + 1}`;
        button.addEventListener("click", () => chooseLabel(index));
        return button;
      }),
    );
  }

  function chooseLabel(index) {
    set({ target: index, pinned: index });
  }

  async function addLabel(index) {
    const { scene } = state;
    if (!labelOf(scene, index)) await ask(null, [index]);
    if (state.scene === scene && labelOf(scene, index)) chooseLabel(index);
  }

  function say(text) {
    find(".cam-said").textContent = text;
  }

  // ---- what a person does ----

  function stepLayer(by) {
    const names = stages();
    const at = names.indexOf(state.layer);
    const next = at < 0 ? names.length - 1 : Math.min(Math.max(at + by, 0), names.length - 1);
    set({ layer: names[next] });
  }

  function stepDeck(by) {
    place = Math.min(Math.max(place + by, 0), deck.length - 1);
    if (deck[place]) show(deck[place]);
  }

  /** Bring the deck into memory, and its first photo onto the page. */
  async function loadDeck({ size, scene }) {
    for (let i = 0; i < size; i++) {
      deck.push(await scene(i));
      if (i === 0 && !state.scene) stepDeck(1);
    }
  }

  function cycle(name, values) {
    set({ [name]: values[(values.indexOf(state[name]) + 1) % values.length] });
  }

  function moveCell(rows, columns) {
    const map = mapOf(state.layer, state.target);
    if (!map) return;
    const inside = (value, size) => Math.min(Math.max(value, 0), size - 1);
    const { row, column } = state.cell ?? { row: map.height >> 1, column: map.width >> 1 };
    set({ cell: { row: inside(row + rows, map.height), column: inside(column + columns, map.width) } });
  }

  function stageMode(on) {
    cam.classList.toggle("cam-fills-screen", on);
    if (on) cam.requestFullscreen?.().catch(() => {}); // the class alone fills the window
    else if (document.fullscreenElement) document.exitFullscreen();
    draw();
  }

  function cellUnder(event) {
    const area = canvas.getBoundingClientRect();
    const factor = Math.max(canvas.width / area.width, canvas.height / area.height);
    const x = (event.clientX - area.left - area.width / 2) * factor + canvas.width / 2;
    const y = (event.clientY - area.top - area.height / 2) * factor + canvas.height / 2;
    return { x, y };
  }

  function onPointer(event) {
    if (!state.scene) return;
    const { x, y } = cellUnder(event);
    if (state.view === "split" && event.buttons === 1) {
      set({ split: Math.min(Math.max(x / canvas.width, 0), 1) });
      return;
    }
    const map = mapOf(state.layer, state.target);
    const [left, top, right, bottom] = state.scene.box;
    const row = map && Math.floor(((y - top) / (bottom - top)) * map.height);
    const column = map && Math.floor(((x - left) / (right - left)) * map.width);
    const inside = map && row >= 0 && row < map.height && column >= 0 && column < map.width;
    const cell = inside ? { row, column } : null;
    if (cell?.row !== state.cell?.row || cell?.column !== state.cell?.column) set({ cell });
  }

  const KEYS = {
    ArrowLeft: () => (state.reading ? moveCell(0, -1) : stepLayer(-1)),
    ArrowRight: () => (state.reading ? moveCell(0, 1) : stepLayer(1)),
    ArrowUp: () => state.reading && moveCell(-1, 0),
    ArrowDown: () => state.reading && moveCell(1, 0),
    " ": () => set({ view: state.view === "photo" ? "overlay" : "photo" }),
    "+": () => set({ opacity: Math.min(1, Math.round(20 * state.opacity + 1) / 20) }),
    "-": () => set({ opacity: Math.max(0, Math.round(20 * state.opacity - 1) / 20) }),
    c: () => cycle("colormap", colormaps),
    e: () => cycle("evidence", EVIDENCE),
    r: () => {
      state.reading = !state.reading;
      if (state.reading) moveCell(0, 0);
      else set({ cell: null });
    },
    f: () => stageMode(!cam.classList.contains("cam-fills-screen")),
    Escape: () => cam.classList.contains("cam-fills-screen") && stageMode(false),
    PageDown: () => stepDeck(1),
    PageUp: () => stepDeck(-1),
    "?": () => find(".cam-help").showModal(),
  };

  function onKey(event) {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable], [role=listbox]");
    if (!root.isConnected || event.ctrlKey || event.metaKey || event.altKey) return;
    if ((typing && event.key !== "Escape") || find(".cam-help").open) return;
    if (event.key === " " && event.target.closest?.("button, summary, a, label")) return;
    if (event.key.startsWith("Page") ? !deck.length : !state.scene) return;
    const digit = "12345".indexOf(event.key);
    const act = event.key === "=" ? KEYS["+"] : KEYS[event.key];
    if (digit >= 0 && state.scene.labels[digit]) chooseLabel(state.scene.labels[digit].index);
    else if (!act || act() === false) return;
    event.preventDefault();
  }

  const ACTIONS = {
    stage: () => stageMode(true),
    help: () => find(".cam-help").showModal(),
    png: async () => {
      const { picture } = await fullSize();
      picture.toBlob((blob) => save(blob, `${fileName()}.png`));
    },
    figure: () => {
      const overlay = element("canvas", { width: canvas.width, height: canvas.height });
      paint(overlay.getContext("2d"), "overlay", state.photo, state.scene.box, currentHeat());
      const range = rangeFor(state.layer, state.target);
      const legend = range && {
        canvas: find(".cam-legend-bar"), from: valueText(range.from), to: valueText(range.to),
      };
      figureOf(state.scene, state, state.photo, overlay, legend).toBlob((blob) => {
        save(blob, `${fileName()}-figure.png`);
      });
    },
    npy: async () => save(npyOf(await exactMap()), `${fileName()}.npy`),
    json: async () => {
      const map = await exactMap();
      const { labels, model, framing, box, size, versions } = state.scene;
      const numbers = {
        model: model.name, layer: state.layer, framing, target: labelOf(state.scene, state.target),
        labels, image: size, box, versions,
        map: Array.from({ length: map.height }, (_, row) =>
          Array.from(map.values.subarray(row * map.width, (row + 1) * map.width))),
      };
      save(new Blob([JSON.stringify(numbers)], { type: "application/json" }), `${fileName()}.json`);
    },
    page: async () => {
      const answer = await host.page(state.scene.id);
      if (answer.error) say(answer.error);
      else save(new Blob([answer.html], { type: "text/html" }), `${fileName()}.html`);
    },
    python: () => copy(pythonOf(state.scene, state), "The Python lines are copied."),
    link: () => {
      if (!state.scene.example) say("Only an example has a link: an uploaded photo stays yours.");
      else copy(linkOf(state.scene, state), "The link is copied.");
    },
  };

  async function copy(text, done) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without the right to the clipboard (a page inside another one), the old way.
      const field = element("textarea", { value: text });
      root.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    say(done);
  }

  function fileName() {
    const label = labelOf(state.scene, state.target).label;
    return `${label}-${state.scene.model.name}-${state.layer}`.replace(/[^\w.-]+/g, "-");
  }

  /** The map as Captum returned it: large ones are averaged to travel, so ask for the whole. */
  async function exactMap() {
    const map = mapOf(state.layer, state.target);
    const layer = state.scene.layers.find((entry) => entry.name === state.layer);
    if (!host.maps || (map.height === layer.shape[1] && map.width === layer.shape[2] && map.exact)) {
      return map;
    }
    const { id } = state.scene;
    const answer = await host.maps({ id, layers: [state.layer], targets: [state.target], exact: true });
    if (answer.error) throw new Error(answer.error);
    return decodeMap(answer.maps[0]);
  }

  /** What is seen, painted on the photo at its own resolution where the browser can read it. */
  async function fullSize() {
    let photo = state.photo;
    if (state.scene.original) {
      const original = new Image();
      original.src = state.scene.original;
      await original.decode().then(() => { photo = original; }, () => {});
    }
    const [width, height] = [photo.naturalWidth, photo.naturalHeight];
    const [across, down] = [width / canvas.width, height / canvas.height];
    const [left, top, right, bottom] = state.scene.box;
    const box = [left * across, top * down, right * across, bottom * down].map(Math.round);
    const picture = element("canvas", { width, height });
    const range = rangeFor(state.layer, state.target);
    let large = null;
    if (range) {
      const map = mapOf(state.layer, state.target);
      const image = heatOf(map, range, heatSettings(), box[3] - box[1], box[2] - box[0]);
      large = element("canvas", { width: image.width, height: image.height });
      large.getContext("2d").putImageData(image, 0, 0);
    }
    paint(picture.getContext("2d"), state.view, photo, box, large);
    return { picture };
  }

  function onControl(event) {
    const { control } = event.target.dataset;
    if (event.target.name === "cam-view") set({ view: event.target.value });
    if (!control || control === "add") return;
    const { type, value, checked } = event.target;
    set({ [control]: type === "checkbox" ? checked : type === "range" ? Number(value) : value });
  }

  async function onAdd(event) {
    const name = event.target.value.trim().toLowerCase();
    allLabels ??= await host.labels();
    const index = allLabels.findIndex((label) => label.toLowerCase() === name);
    if (index < 0) {
      if (name) say(`There is no label "${name}". Choose one of the list.`);
      return;
    }
    event.target.value = "";
    say("");
    if (state.scene) addLabel(index);
  }

  find("[data-control=colormap]").append(
    ...colormaps.map((name) => element("option", { value: name, textContent: name })),
  );
  if (host.labels) {
    const field = find("[data-control=add]");
    field.addEventListener("change", onAdd);
    field.addEventListener("focus", async () => {
      allLabels ??= await host.labels();
      find("datalist").replaceChildren(...allLabels.map((value) => element("option", { value })));
    });
  } else {
    find(".cam-add").remove();
  }
  if (!host.page) find("[data-action=page]").remove();
  if (!host.maps) find("[data-action=link]").remove();
  root.addEventListener("input", onControl);
  root.addEventListener("click", (event) => {
    const action = event.target.dataset?.action;
    if (action && (state.scene || action === "help")) {
      Promise.resolve(ACTIONS[action]()).catch((error) => say(error.message));
    }
  });
  canvas.addEventListener("pointermove", onPointer);
  canvas.addEventListener("pointerdown", onPointer);
  canvas.addEventListener("pointerleave", () => state.cell && !state.reading && set({ cell: null }));
  document.addEventListener("keydown", onKey);
  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement) cam.classList.remove("cam-fills-screen");
  });
  drawControls();
  if (host.deck?.size) loadDeck(host.deck);
  return { show, state };
}
