// The viewer: one state, and one draw() that paints from it. The same code runs in the page,
// in the file that a person takes away, and in a notebook.

/**
 * Bring a viewer to life inside `root`, which holds viewer.html.
 *
 * `host` is what differs between the page and a file, where all of it is absent:
 *   start            async () -> {models, examples, note, state}: what the page can be asked
 *   open             async (question) -> a scene or {error}; see questionOf in asking.js
 *   upload           async (file) -> {path} or {error}
 *   waiting          async () -> {before}: how many are answered first
 *   download, downloadState, cancelDownload   async ({model}) -> {state, received, total, error}
 *   maps             async ({id, layers, targets, method, versus, strength, exact}) -> {maps, labels} or {error}
 *   pixel, pixelState, cancelPixel   async ({id, method, target, versus, strength, settings}) -> {state, done, total, error, map, text} of a map of pixels
 *   hide             async ({id, mask, fill, keep}) -> {probabilities, first} or {error}
 *   hideElsewhere    the same, on average over random places
 *   look             async ({id, framing, layer, method, target, versus, strength}) -> {labels, maps, target} or {error}
 *   live             async ({frame, model, layer, method, target, framing}) -> what changes of a scene, or {error}
 *   scores, curves, randomised, completeness   async (question) -> {verdict, ...} or {error}; see ui/trust.py
 *   tested           whether maps can be put to the test, or have been
 *   labels           async () -> the names of all labels that can be added
 *   page             async (question) -> {html} of the file to take away, or {error}; see pageQuestion in takeaway.js
 * Returns the viewer; `show(scene)` puts an explanation into it, `show(null)` empties it.
 */
function mountViewer(root, host) {
  const find = (selector) => root.querySelector(selector);
  const outside = root.closest("#viewer") ?? root;
  const canvas = find(".cam-picture");
  const cam = find(".cam");
  const palettes = Object.fromEntries(
    Object.entries(PALETTES).map(([name, base64]) => [name, pixelsOfPalette(base64)]),
  );
  buildOptions(root);
  for (const part of root.querySelectorAll("[data-needs]")) {
    if (!host[part.dataset.needs]) part.remove();
  }

  const state = {
    models: [], // that can be chosen
    examples: [], // photos that can be: {name, icon, part}
    server: "", // how far it is: "starting", "ready" or "failed"
    scene: null,
    source: null, // where its photo is: {example}, {path} or, while it moves, {camera}
    photo: null, // the decoded display copy
    known: null, // its maps, and what has been asked for; see exchange.js
    revision: 0, // counts the changes of scene, maps and box
    ...defaultsOf(Object.values(OPTIONS.look)), // view, colormap, opacity, evidence, strongest, shared, look
    ...defaultsOf([OPTIONS.question.method, OPTIONS.fill, OPTIONS.keep]),
    settings: {}, // {method: {name: value}} that were chosen
    layered: OPTIONS.question.method.default, // the method of layers that one of pixels gives way to
    layer: "",
    target: 0,
    versus: null, // what the target is compared with: OTHERS, a label or several
    strength: defaultsOf([OPTIONS.question.strength]).strength, // how much of their mean is subtracted
    pinned: null, // the label that a person chose for this photo
    split: 0.5, // where the divider is
    cell: null, // {row, column, place} that is read out; see cellOf
    plain: false, // a finger that holds the picture sees the photo alone
    framing: defaultsOf([OPTIONS.question.framing]).framing, // the one that a person chose for any photo
    reading: false, // the arrow keys move the cell
    // A finger that drags scrolls the page, unless another tool is chosen.
    tool: host.hide && !matchMedia("(pointer: coarse)").matches ? "box" : "read",
    hider: "box", // the tool that "Hide" means
    history: [[]], // lists of hidden regions, for undo and redo
    at: 0, // the place in it
    draft: null, // the region that is being drawn
    answer: null, // what the model says without them
    other: null, // what is compared with it; see stateOfB in compare.js
    frame: null, // where the outline is while it moves
    waiting: 0, // requests under way
  };
  // `drag` is what a pointer is doing: {move, up, start} of a tool.
  const viewer = { root, host, cam, canvas, find, state, palettes, drag: null };
  viewer.main = viewer; // also of the one that is compared with it

  let frames = 0;
  let wanted = null; // the scene that is to be shown, while its photo is decoded
  const painted = { minis: "", heat: "", layer: "", method: "" }; // what was painted last, to paint it once
  const mapOf = mapsOf(state);

  // ---- painting ----

  function draw() {
    outside.dataset.framing = state.scene?.framing ?? "";
    outside.dataset.example = state.scene?.example ?? "";
    if (state.scene) {
      const looks = viewer.heat.key() + (state.other ? viewer.comparing.key() : "");
      if (painted.heat !== looks) {
        if (painted.heat && !viewer.drag && !isLive(viewer)) fadeFrom(canvas, find(".cam-before"));
        painted.heat = looks;
      }
      const map = mapOf(state.layer, state.target);
      if (map && state.cell) state.cell = cellThere(map, state.cell.place); // of a finer layer another one
      if (state.other) viewer.comparing.paint();
      else paintAlone();
      if (painted.minis !== viewer.heat.key()) {
        painted.minis = viewer.heat.key();
        drawMinis(viewer);
      }
      if (painted.method !== state.method) {
        painted.method = state.method;
        fillLayers(viewer);
      }
      drawLabels(viewer);
      viewer.comparing.drawBars();
      drawLegend(viewer);
      drawWords(viewer);
      if (!map && !state.frame) viewer.askForMissing();
      if (state.other) viewer.comparing.askForMissing();
    }
    drawControls(viewer);
    viewer.trust.draw();
    viewer.address?.write();
    if (painted.layer !== state.layer) {
      painted.layer = state.layer;
      showInStrip(viewer);
    }
    outside.dataset.frame = String(++frames);
  }

  /** The one picture, what is hidden of it, and the frame. */
  function paintAlone() {
    const context = canvas.getContext("2d");
    fitCanvas(canvas, state.photo);
    paintView(viewer, context, zoomTo(viewer));
    const regions = [...regionsNow(state), ...(state.draft ? [state.draft] : [])];
    if (regions.length) paintHidden(context, state, regions);
    if (state.tool === "frame" || state.frame) paintFrame(context, viewer.framing.now());
  }

  /** Change the state and paint. */
  function set(changes) {
    Object.assign(state, withBrought(changes));
    draw();
  }

  /** Write a text into a part of the viewer. */
  const write = (selector, text) => tell(find(selector), text);

  /** Say what happened, beside what caused it: "photo", "model", "canvas", "add", "hide" or "save". */
  function say(text, at = "canvas") {
    const places = [...root.querySelectorAll(".cam-said")];
    const place = places.find(({ dataset }) => dataset.at === at && !outOfSight(root, dataset.at)) ?? find("[data-at=canvas]");
    for (const each of places) tell(each, each === place ? text : "");
  }

  /** A request more (1) or less (-1) is under way. */
  function wait(by) {
    state.waiting += by;
    drawControls(viewer);
  }

  /** Tell on the canvas what is waited for; `share` of a download is there, and it may be cancelled. */
  function doing(text, { share = null, cancels = false } = {}) {
    write(".cam-doing", text);
    const bar = find(".cam-busy progress");
    bar.hidden = share === null;
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
    find("[data-action=cancel]").hidden = !cancels;
  }

  // ---- scenes ----

  /** Back to the page as it was before the first photo. */
  function clear() {
    Object.assign(state, { scene: null, known: null, frame: null, draft: null });
    cam.dataset.empty = "true";
    write(".cam-title", "Choose a photo");
    for (const selector of [".cam-words", ".cam-readout", ".cam-asked"]) write(selector, "");
    draw();
  }

  /**
   * Show another explanation, or one that was shown before and of which much is `known`. What a
   * person chose stays chosen where it still makes sense. `source` is where its photo is, `decoded` the
   * photo itself where it is here; `isNew` tells whether this is a step of a person's, to which Back
   * should lead.
   */
  async function show(scene, { known = null, source = state.source, decoded = null, isNew = known === null } = {}) {
    wanted = scene;
    if (!scene?.labels) {
      clear();
      return;
    }
    const before = state.scene;
    const samePhoto = before?.photo === scene.photo;
    let photo = decoded ?? state.photo;
    if (!samePhoto) {
      photo = decoded ?? make("img", { src: scene.photo });
      await photo.decode?.();
      if (wanted !== scene) return; // a later one was faster
      Object.assign(state, { history: [[]], at: 0, keep: false });
    }
    const { layer, versus } = state;
    const keeps = samePhoto && isNew && before.model.vocabulary === scene.model.vocabulary;
    const pinned = keeps ? state.pinned : null;
    viewer.drag = null; // of another photo, or of another map
    const { hidden, pixel: _pixel, answer = null, ...wantedLook } = known ? {} : withBrought(scene.wanted);
    Object.assign(state, { scene, source, photo, pinned, cell: null, draft: null, answer, frame: null });
    Object.assign(state, wantedLook, hidden && historyOf(hidden));
    if (!["read", "frame"].includes(state.tool)) state.hider = state.tool;
    if (known === null) viewer.wantedExample = scene.example;
    state.known = known ?? knownOf(scene);
    state.revision++;
    if (!isNew || !before || !methodsHere(viewer).includes(methodOf(state.method))) state.method = scene.method;
    if (isPixel(state.method) && scene.lacking?.[state.method]) state.method = state.layered;
    const ofPixels = known ? null : (scene.wanted.pixel ?? scene.pixels);
    if (ofPixels && !scene.lacking?.[ofPixels.method]) {
      state.settings = { ...state.settings, [ofPixels.method]: ofPixels.settings };
      Object.assign(state, methodChosen(viewer, ofPixels.method), scene.wanted.evidence && { evidence: scene.wanted.evidence });
    }
    const stays = isNew && before?.model.name === scene.model.name && scene.layers.some(({ name }) => name === layer);
    state.layer = stays ? layer : scene.layer;
    state.target = labelOf(scene, pinned)?.index ?? scene.target;
    const isHere = versus === OTHERS || [versus].flat().every((index) => labelOf(scene, index));
    const kept = keeps && isHere ? versus : null;
    state.versus = known ? kept : (versusOf(scene) ?? kept);
    const rivals = rivalsOf(state);
    if (!rivals.length || rivals.includes(state.target)) state.versus = null;
    if (scene.versus.length && !known) state.strength = scene.strength;
    cam.dataset.empty = "false";
    say("");
    buildStrip(viewer);
    buildLabels(viewer);
    painted.minis = painted.heat = painted.layer = painted.method = "";
    viewer.address?.write(isNew && Boolean(before));
    draw();
    showResult(viewer);
    if (regionsNow(state).length && !answer) viewer.askBack();
    viewer.comparing.follow();
    await new Promise(requestAnimationFrame); // the first map is on the screen before the rest
    if (state.scene !== scene) return;
    await viewer.askForStages();
    if (state.scene === scene && pinned !== null && state.target !== pinned) await viewer.addLabel(pinned);
  }

  /** What the model sees through a frame that is being moved, until it rests. */
  function glance(box, { labels, maps, target }) {
    state.scene = { ...state.scene, box, part: [0, 0, ...state.scene.input_size], labels };
    state.target = target;
    state.known = knownOf({ maps });
    state.revision++;
    buildLabels(viewer);
    draw();
  }

  function chooseLabel(index) {
    const { target, versus, pinned } = state;
    const swapped = (rival) => (Array.isArray(rival) ? rival.map(swapped) : rival === index ? target : rival); // a rival takes its place
    const isAgain = isLive(viewer) && index === pinned; // then the most probable one is followed again
    set({ target: index, pinned: isAgain ? null : index, versus: swapped(versus) });
  }

  Object.assign(viewer, { mapOf, set, write, say, wait, doing, show, glance, chooseLabel });
  viewer.heat = heatOfViewer(viewer);
  Object.assign(viewer, exchangeOf(viewer), { comparing: comparingOf(viewer), askBack: askingBack(viewer), framing: framingOf(viewer) });
  viewer.pixels = pixelsOf(viewer);
  viewer.trust = trustOf(viewer);
  viewer.choices = choicesOf(viewer);
  listenToControls(viewer);
  listenToActions(viewer);
  listenToPointer(viewer);
  listenToMenus(viewer);
  listenToSettings(viewer);
  listenToStage(viewer);
  buildTabs(viewer);
  buildHelp(viewer);
  listenToKeys(viewer);
  drawControls(viewer);
  new ResizeObserver(() => zoomTo(viewer)).observe(canvas.parentElement);
  // A frame of a Space follows our height, so that ours can't follow the window's.
  cam.classList.toggle("cam-framed", Boolean(host.open) && window.self !== window.top);
  if (host.open) openPage(viewer);
  return viewer;
}

/** What there is and can be said once the first model is ready. */
async function refresh(viewer) {
  const answer = await viewer.host.start();
  if (answer.error) return;
  Object.assign(viewer.state, { models: answer.models, server: answer.state });
  sayWhy(viewer, answer.note);
  buildModels(viewer);
}

/** Why this model answers, behind a quiet button. */
function sayWhy(viewer, note) {
  viewer.write(".cam-note", note);
  viewer.find(".cam-noted").hidden = !note;
}

/** Ask what there is, and show what the address asks for, or the first of the examples. */
async function openPage(viewer) {
  const { state, host } = viewer;
  Object.assign(viewer, askingOf(viewer), { address: addressOf(viewer), live: liveOf(viewer) });
  listenToPhotos(viewer);
  viewer.wait(1);
  const late = setTimeout(() => viewer.doing(STARTING), PATIENCE);
  const answer = await host.start();
  clearTimeout(late);
  viewer.doing("");
  viewer.wait(-1);
  if (answer.error) return viewer.say(answer.error);
  Object.assign(state, { models: answer.models, examples: answer.examples, largest: answer.largest, server: answer.state });
  sayWhy(viewer, answer.note);
  buildModels(viewer);
  buildExamples(viewer);
  if (state.scene || (await viewer.address.restore(history.state, answer.opening)) || state.scene) return;
  const said = viewer.find("[data-at=canvas]").textContent; // why a link can't be shown
  await openExample(viewer, state.examples.find(({ name }) => name === answer.opening), { isNew: false });
  if (said) viewer.say(said);
  else if (answer.skipped) viewer.say(answer.skipped, "photo");
  if (answer.state === "starting") refresh(viewer);
}
