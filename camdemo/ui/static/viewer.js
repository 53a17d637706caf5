// The viewer: one state, and one draw() that paints from it. The same code runs in the page,
// in the file that a person takes away, and in a notebook.

/** The entry of a label among those on the page. */
function labelOf(scene, index) {
  return scene.labels.find((label) => label.index === index);
}

/**
 * Bring a viewer to life inside `root`, which holds viewer.html.
 *
 * `host` is what differs between the page and a file; all but the palettes may be absent:
 *   palettes   {name: base64 of 256 RGB colours}
 *   maps       async ({id, layers, targets, exact}) -> {maps, labels} or {error}
 *   labels     async () -> the names of all labels that can be added
 *   page       async (id) -> {html} of the file to take away, or {error}
 *   deck       {size, scene: async (place) -> scene} for Page Up and Page Down
 * Returns the viewer; `show(scene)` puts an explanation into it, `show(null)` empties it.
 */
function mountViewer(root, host) {
  const find = (selector) => root.querySelector(selector);
  const frame = root.closest("#viewer") ?? root;
  const canvas = find(".cam-picture");
  const cam = find(".cam");
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
    strongest: 100, // percent of the seen area
    shared: false, // one scale for all labels
    split: 0.5,
    cell: null, // {row, column} that is read out
    reading: false, // the arrow keys move the cell
    waiting: 0, // requests under way
  };
  const viewer = { root, host, cam, canvas, find, state, colormaps };

  let frames = 0;
  const painted = { values: "", heat: "", minis: "", layer: "" }; // what was painted last, to paint it once
  let indices = null; // of the palette, one a pixel of the box: other colours need no new ones
  let heat = null; // ImageData of the size of the box
  const asked = new Set();
  const deck = []; // complete scenes, in memory so that a step needs no wait
  let place = -1; // in the deck

  // ---- what the state means ----

  const mapOf = (layer, target) => state.maps.get(`${layer}/${target}`);

  const isStage = (name) => state.scene.layers.find((layer) => layer.name === name).stage;

  /** For which labels to ask: a stage is under way for all, a finer layer comes for all at once. */
  function targetsToAsk() {
    const missing = state.scene.labels.filter(({ index }) => !mapOf(state.layer, index));
    const tooMany = missing.length > 8; // for one answer
    return isStage(state.layer) || tooMany ? [state.target] : missing.map(({ index }) => index);
  }

  /** What the ends of the palette stand for, or null when the map says nothing. */
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

  /** Changes whenever the heat would have other values. */
  function valuesKey() {
    const { scene, layer, target, evidence, shared, maps } = state;
    return [scene.id, layer, target, evidence, shared, maps.size, scene.labels.length].join("|");
  }

  /** Changes whenever the heat would look different. */
  const heatKey = () => [valuesKey(), state.colormap, state.strongest].join("|");

  /** The heat of the current map at the size of the box, or null when it says nothing. */
  function currentHeat() {
    const range = rangeFor(state.layer, state.target);
    if (!range) return null;
    const [left, top, right, bottom] = state.scene.box;
    const [height, width] = [bottom - top, right - left];
    if (painted.values !== valuesKey()) {
      indices = indicesOf(mapOf(state.layer, state.target), range, state.evidence, height, width);
      painted.values = valuesKey();
    }
    if (painted.heat !== heatKey()) {
      heat = coloured(indices, heatSettings(), height, width);
      painted.heat = heatKey();
    }
    return heat;
  }

  // ---- painting ----

  function draw() {
    if (state.scene) {
      const context = canvas.getContext("2d");
      const map = mapOf(state.layer, state.target);
      paint(context, state, state.photo, state.scene.box, currentHeat());
      if (map && state.cell && state.view !== "photo") outlineCell(context, map, state.scene.box, state.cell);
      if (painted.minis !== heatKey()) {
        painted.minis = heatKey();
        drawMinis(viewer);
      }
      drawLegend(viewer);
      drawWords(viewer);
      if (!map) ask([state.layer], targetsToAsk());
    }
    drawControls(viewer);
    if (painted.layer !== state.layer) {
      painted.layer = state.layer;
      showInStrip(viewer);
    }
    frame.dataset.frame = String(++frames);
  }

  /** Change the state and paint. */
  function set(changes) {
    Object.assign(state, changes);
    draw();
  }

  /** Write a text where it is not written yet: a live region is read out at each writing. */
  function write(selector, text) {
    const place = find(selector);
    if (place.textContent !== text) place.textContent = text;
  }

  const say = (text) => write(".cam-said", text);

  // ---- what comes from the server ----

  function keep(packets) {
    for (const packet of packets) state.maps.set(`${packet.layer}/${packet.target}`, decodeMap(packet));
  }

  /** Ask for maps, each once; null means every stage, or the labels on the page. */
  async function ask(layers, targets) {
    const { scene } = state;
    const question = JSON.stringify([layers, targets]);
    if (!host.maps || asked.has(question)) return;
    asked.add(question);
    state.waiting++;
    drawControls(viewer);
    try {
      const answer = await host.maps({ id: scene.id, layers, targets });
      if (state.scene !== scene) return; // another photo came meanwhile
      if (answer.error) throw new Error(answer.error);
      keep(answer.maps);
      scene.labels.push(...answer.labels.filter((label) => !labelOf(scene, label.index)));
      buildLabels(viewer);
    } catch (error) {
      say(error.message);
    } finally {
      state.waiting--;
      if (state.scene === scene) draw();
      else drawControls(viewer);
    }
  }

  /** Back to the page as it was before the first photo. */
  function clear() {
    state.scene = null;
    cam.dataset.empty = "true";
    write(".cam-title", "Choose a photo");
    write(".cam-note", "Upload one, take one, or click an example.");
    for (const selector of [".cam-words", ".cam-readout"]) write(selector, "");
    draw();
  }

  /** Show another explanation. What a person chose stays chosen where it still makes sense. */
  async function show(scene) {
    if (!scene?.labels) {
      clear();
      return;
    }
    const photo = new Image();
    photo.src = scene.photo;
    await photo.decode();
    const before = state.scene;
    const { layer } = state;
    const pinned = before?.photo === scene.photo ? state.pinned : null;
    Object.assign(state, { scene, photo, pinned, cell: null, maps: new Map() }, scene.wanted ?? {});
    asked.clear();
    keep(scene.maps);
    const offered = before?.model.name === scene.model.name && !scene.wanted;
    const stays = offered && scene.layers.some(({ name }) => name === layer);
    state.layer = stays ? layer : scene.layer;
    state.target = labelOf(scene, pinned)?.index ?? scene.target;
    canvas.width = photo.naturalWidth;
    canvas.height = photo.naturalHeight;
    cam.dataset.empty = "false";
    say("");
    buildLayers(viewer);
    buildLabels(viewer);
    painted.values = painted.heat = painted.minis = painted.layer = "";
    draw();
    if (scene.complete) return;
    await new Promise(requestAnimationFrame); // the first map is on the screen before the rest
    await ask(null, null);
    if (state.scene === scene && pinned !== null && state.target !== pinned) await addLabel(pinned);
  }

  // ---- what several parts need ----

  function chooseLabel(index) {
    set({ target: index, pinned: index });
  }

  /** Put any label on the page: its maps of all stages come in one request. */
  async function addLabel(index) {
    const { scene } = state;
    if (!labelOf(scene, index)) await ask(null, [index]);
    if (state.scene === scene && labelOf(scene, index)) chooseLabel(index);
  }

  function stepDeck(by) {
    place = within(place + by, deck.length - 1);
    show(deck[place]);
  }

  /** Bring the deck into memory, and its first photo onto the page. */
  async function loadDeck({ size, scene }) {
    for (let i = 0; i < size; i++) {
      deck.push(await scene(i));
      if (i === 0 && !state.scene) stepDeck(1);
    }
  }

  Object.assign(viewer, { mapOf, rangeFor, heatSettings, currentHeat, set, write, say, show });
  Object.assign(viewer, { chooseLabel, addLabel, stepDeck, hasDeck: () => deck.length > 0 });
  if (host.labels) listenToAdd(viewer);
  else find(".cam-add").remove();
  if (!host.page) find("[data-action=page]").remove();
  if (!host.maps) find("[data-action=link]").remove();
  listenToControls(viewer);
  listenToFind(viewer);
  listenToActions(viewer);
  listenToPointer(viewer);
  listenToKeys(viewer);
  drawControls(viewer);
  if (host.deck?.size) loadDeck(host.deck);
  return viewer;
}
