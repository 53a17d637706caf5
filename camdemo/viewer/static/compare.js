// Compare: a second answer B beside A, which is what the page shows. B is A but for what a person
// chose to differ; what is not chosen follows A. Pointer, labels, look and threshold are shared.

/**
 * The state as B has it: A's, but for what differs. Nothing of it is kept: `state.other` is null, or
 * {differs: {source, model, layer, method}, opened, lent}: `opened` is {key, scene, known, photo,
 * source} of another photo or model, or null where the maps are A's own; `lent` is B's first label
 * where it was put among A's.
 */
function stateOfB({ state }) {
  const opened = () => state.other?.opened;
  const here = (index) => (index === null ? null : (labelNamed(own.scene, labelText(state.scene, index))?.index ?? null));
  const own = {
    get scene() { return opened()?.scene ?? state.scene; },
    get known() { return opened()?.known ?? state.known; },
    get photo() { return opened()?.photo ?? state.photo; },
    get source() { return opened()?.source ?? state.source; },
    get method() { return state.other?.differs.method ?? state.method; },
    get layer() {
      const has = (name) => own.scene.layers.some((layer) => layer.name === name);
      return [state.other?.differs.layer, state.layer].find(has) ?? own.scene.layer;
    },
    get target() { return here(state.target); },
    get versus() { return state.versus === null ? null : rivalsOf(state).map(here); },
    /** The same place in the frame. */
    get cell() {
      const map = ownMap(own.layer, own.target);
      return state.cell && map ? cellThere(map, state.cell.place) : null;
    },
    get revision() { return state.revision; },
    set revision(count) { state.revision = count; },
  };
  const ownMap = mapsOf(own);
  return Object.setPrototypeOf(own, state);
}

/** What asks for B, paints both halves, and says how they differ. */
function comparingOf(viewer) {
  const { state, host, canvas, cam, root, find } = viewer;
  const second = Object.assign(Object.create(viewer), { state: stateOfB(viewer) });
  second.mapOf = mapsOf(second.state);
  second.heat = heatOfViewer(second);
  Object.assign(second, exchangeOf(second), { beside: () => state.scene.id, pixels: pixelsOf(second) });
  // Who looks at two scenes waits for the maps of both.
  viewer.beside = () => state.other?.opened?.scene.id ?? null;
  const sides = [viewer, second];
  const uploads = new Map(); // names of files by their paths
  const ask = onlyTheLast();
  const pictures = sides.map(() => make("canvas", {}));
  let halves = null; // where the two pictures are on the canvas
  let tool = null; // that was chosen before

  // ---- what B is ----

  /** What is asked to open B; the label is asked for by its name, since models may count differently. */
  function questionOfB() {
    const { scene, target, strength, layer, method } = state;
    const { differs } = state.other;
    const asked = { ...questionOf(state, {}), ...differs };
    // A frame of one's own belongs to its photo; and which layers another model has is not known yet.
    const framing = differs.source && !valuesOf("framing").includes(scene.framing) ? state.framing : scene.framing;
    return {
      ...asked,
      framing,
      layer: asked.model === scene.model.name ? (differs.layer ?? layer) : null,
      method: differs.method ?? method,
      target: labelText(scene, target),
      versus: state.versus === null ? null : rivalsOf(state).map((index) => labelText(scene, index)),
      strength,
    };
  }

  const keyOf = ({ source, model, framing }) => JSON.stringify([source, model, framing]);
  const keyOfA = () => keyOf({ source: state.source, model: state.scene.model.name, framing: state.scene.framing });

  /** Whether B's maps are those that it should have: else they are under way. */
  function isReady() {
    const key = keyOf(questionOfB());
    return (state.other.opened?.key ?? keyOfA()) === key;
  }

  /** Choose what differs; a value like A's own, or none, is as A. Nothing is compared where nothing differs. */
  function choose(changes) {
    const own = { source: state.source, model: state.scene.model.name, layer: state.layer, method: state.method };
    const chosen = Object.entries({ ...state.other?.differs, ...changes });
    const isNew = ([name, value]) => value && (!(name in changes) || JSON.stringify(value) !== JSON.stringify(own[name]));
    const differs = Object.fromEntries(chosen.filter(isNew));
    if (!Object.keys(differs).length) return end();
    const before = state.other;
    state.other = { differs, opened: before?.opened ?? null, lent: before?.lent };
    return bring(before);
  }

  /** Bring what B lacks; where that fails, B is again what it was before. */
  async function bring(before = null) {
    const isStale = ask();
    const isNewest = () => !isStale() && state.other;
    begin();
    const question = questionOfB();
    const key = keyOf(question);
    try {
      if (key === keyOfA()) state.other.opened = null;
      else if (state.other.opened?.key !== key) {
        viewer.set({});
        if (!(await fetchScene(question, key, isNewest))) return isNewest() && revert(before);
      }
      const { differs } = state.other;
      if (!second.state.scene.layers.some(({ name }) => name === differs.layer)) delete differs.layer;
      if (!Object.keys(differs).length) return end();
      state.revision++;
      viewer.set({});
      showResult(viewer);
      await shareLabels(isNewest);
    } catch (error) {
      if (!isNewest() || !error.message) return; // dropped, since A is asked anew: B follows it
      revert(before);
      viewer.say(error.message, "compare");
    }
  }

  function revert(before) {
    state.other = before;
    if (before) viewer.set({});
    else end();
  }

  /** Ask for B, once its weights are there; null where nobody waits for it any more. */
  async function openScene(question, isNewest) {
    if (!(await viewer.fetchModel(question.model, () => !isNewest()))) return null;
    return host.open({ ...question, beside: state.scene.id });
  }

  async function fetchScene(question, key, isNewest) {
    viewer.wait(1);
    viewer.say("");
    try {
      const scene = state.scene.beside ?? (await openScene(question, isNewest)); // a file has it
      if (!scene) return false;
      if (scene.error !== undefined) throw new Error(scene.error);
      const photo = Object.assign(new Image(), { src: scene.photo });
      await photo.decode();
      if (!isNewest()) return false;
      state.other.opened = { key, scene, known: knownOf(scene), photo, source: question.source };
      return true;
    } finally {
      viewer.wait(-1);
    }
  }

  /** Every label on the page has two bars: each side is asked for those that only the other one has. */
  async function shareLabels(isNewest) {
    const { opened } = state.other;
    if (!opened) return;
    const lacking = (scene, labels) => labels.filter(({ label }) => !labelNamed(scene, label)).map(({ label }) => label);
    const [first] = opened.scene.labels;
    const ofA = lacking(state.scene, [first]);
    if (ofA.length) state.other.lent = first.label;
    const names = [labelText(state.scene, state.target), ...state.scene.labels.map(({ label }) => label), first.label];
    await Promise.all([
      second.sweep([...new Set(names)].slice(0, MOST)),
      ofA.length ? viewer.askForLabels(ofA) : null,
    ]);
    const left = isNewest() ? lacking(opened.scene, state.scene.labels).slice(0, MOST) : [];
    if (left.length) await second.askForLabels(left);
  }

  /** What hides a part or moves the frame asks of one picture, and rests while there are two. */
  function begin() {
    if (cam.dataset.compares) return;
    cam.dataset.compares = "true";
    clearRegions(viewer);
    tool = state.tool;
    state.tool = "read";
    if (host.open) showTab(viewer, "Compare");
  }

  function end() {
    ask(); // what is under way is void
    const lent = state.other?.lent;
    if (cam.dataset.compares) state.tool = tool;
    delete cam.dataset.compares;
    halves = null;
    state.other = null;
    if (!state.scene) return;
    const { labels } = state.scene;
    const at = labels.findIndex(({ label, index }) => label === lent && index !== state.target && ![state.versus].flat().includes(index));
    if (at >= 0) labels.splice(at, 1);
    if (at >= 0) buildLabels(viewer);
    viewer.set({ cell: null });
  }

  /** A shows another scene: what B takes from it is another, too. */
  function follow() {
    if (state.other && !isLive(viewer)) return bring();
    if (!cam.dataset.compares) return undefined;
    tool = state.tool; // what an address brings again
    return end();
  }

  // ---- painting ----

  /** Paint both, and put the chips onto them. */
  function paint() {
    zoomTo(viewer); // to both as they are
    sides.forEach((side, i) => {
      const isHere = i === 0 || isReady();
      const { photo } = isHere ? side.state : state;
      Object.assign(pictures[i], { width: photo.width, height: photo.height }); // and cleared
      if (isHere) paintView(side, pictures[i].getContext("2d"));
    });
    const area = { width: canvas.clientWidth, height: canvas.clientHeight };
    const layout = halvesOf(pictures, area);
    ({ halves } = layout);
    cam.style.setProperty("--halves", String(layout.width / layout.height));
    fitCanvas(canvas, layout);
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, layout.width, layout.height);
    pictures.forEach((picture, i) => context.drawImage(picture, ...halves[i]));
    const { factor } = layout;
    const [left, top] = [(area.width - layout.width / factor) / 2, (area.height - layout.height / factor) / 2];
    for (const [i, chip] of [...root.querySelectorAll(".cam-half")].entries()) {
      const [x, y, width] = halves[i];
      chip.style.left = `${left + x / factor}px`;
      chip.style.top = `${top + y / factor - HEAD}px`;
      chip.style.maxWidth = `${width / factor}px`;
    }
  }

  /** On which of the pictures a place of the canvas is: {side, x, y, scale, width} in its own pixels. */
  function placeOn({ x, y, scale }) {
    if (!halves) return { side: viewer, x, y, scale, width: canvas.width };
    const inside = ([left, top, width, height]) => x >= left && y >= top && x < left + width && y < top + height;
    const at = halves.findIndex(inside);
    if (at < 0 || (at === 1 && !isReady())) return null;
    const [[left, top, width], picture] = [halves[at], pictures[at]];
    const factor = picture.width / width;
    return { side: sides[at], x: (x - left) * factor, y: (y - top) * factor, scale: scale * factor, width: picture.width };
  }

  /** A's cell where either picture is pointed at: B's may be finer. */
  function cellOn(on) {
    const [cell, map] = [on && cellAt(on.side, on), mapNow(viewer)];
    return cell && map ? cellThere(map, cell.place) : null;
  }

  // ---- words ----

  /** What is told of A, and of B where two are compared: "0" where both are the same, else "A 0.5 · B 0.7". */
  function each(tell) {
    if (!state.other) return tell(viewer);
    const [a, b] = [tell(viewer), isReady() ? tell(second) : "…"];
    return a === b ? a : `A ${a} · B ${b}`;
  }

  /** What each is: in what it differs from the other, or was chosen to. */
  function facts() {
    const all = {
      source: ({ scene, source }) => scene.name || uploads.get(source?.path) || "your photo",
      model: ({ scene }) => scene.model.title,
      layer: ({ scene, layer }) => layerTitle(scene.layers, scene.layers.find(({ name }) => name === layer)),
      method: ({ method }) => methodOf(method).title,
    };
    const pairs = Object.entries(all).map(([name, fact]) => [name, ...sides.map(({ state: seen }) => fact(seen))]);
    const told = pairs.filter(([name, a, b]) => a !== b || state.other.differs[name]);
    return [1, 2].map((side) => told.map((pair) => pair[side]).join(" · "));
  }

  const mapNow = (side) => side.mapOf(side.state.layer, side.state.target);
  const shareOf = ({ state: { scene, target } }) => labelOf(scene, target)?.probability;
  const sharesText = (shares) => shares.map((share, i) => `${"AB"[i]} ${share === undefined ? "…" : percentText(share)}`);

  /** Both as difference.js takes them; null where a map is still under way. */
  function both() {
    const all = sides.map((side) => ({ map: mapNow(side), scene: side.state.scene, method: side.state.method, probability: shareOf(side) }));
    return isReady() && all.every(({ map }) => map) ? all : null;
  }

  /** Overlap of the two maps on the photo; null where the photos differ. */
  function overlap() {
    const isSame = JSON.stringify(second.state.source) === JSON.stringify(state.source);
    return isSame && both() ? overlapOfMaps(...both()) : null;
  }

  /** The sentences, or what is waited for. */
  function words() {
    const pair = both();
    // A may have gone to a layer, or to two labels, for which B's method is not there.
    const refusal = isReady() && refusalOf(second.state, second.state.method);
    if (refusal) return `B has no map here: ${methodOf(second.state.method).title} ${refusal}.`;
    if (!pair) return "The other map is being computed …";
    const weak = sides.map((side, i) =>
      describeWeak(pair[i].map, side.heat.rangeFor(side.state.layer, side.state.target)).replace("A weak map", `${"AB"[i]} is weak`));
    return [describeComparison(namesOf(state.scene, state), pair, overlap()), ...weak].filter(Boolean).join(" ");
  }

  /** What stands in place of A's own words: {words, title, read}; null where nothing is compared. */
  function said() {
    if (!state.other) return null;
    const read = sides.flatMap((side, i) => {
      const [map, { cell }] = [mapNow(side), side.state];
      const rival = state.versus === null ? undefined : rivalText(state.scene, state);
      return map && cell && (i === 0 || isReady()) ? [`${"AB"[i]}: ${describeCell(map, cell.row, cell.column, rival)}`] : [];
    });
    const shares = isReady() ? sides.map(shareOf) : [shareOf(viewer), undefined];
    return {
      words: words(),
      title: [namesOf(state.scene, state), ...sharesText(shares)].join(" · "),
      read: read.join(". "),
    };
  }

  // ---- controls ----

  const asA = { value: "", title: "As A" };
  const UPLOAD = JSON.stringify("upload"); // among photos, which are {example} or {path}
  const field = (name, choice) => {
    const { title, help } = optionOf(name) ?? { title: "Photo", help: "another photo" };
    const place = find(`[data-differs=${name}]`) ?? make("div", {});
    return comboboxOf(place, { title: `B's ${title.toLowerCase()}`, help, entries: [asA], value: "", choose: choice ?? ((value) => choose({ [name]: value })) });
  };
  const fields = {
    photo: field("photo", choosePhoto),
    model: field("model"),
    layer: field("layer"),
    method: field("method"),
  };
  /** An example, a photo that was sent before, or a file. */
  function choosePhoto(value) {
    if (value !== UPLOAD) return choose({ source: value && JSON.parse(value) });
    const input = make("input", { type: "file", accept: "image/*" });
    input.addEventListener("change", () => choosePath(input.files[0]));
    input.click();
    return drawFields(); // until a file is chosen it is what it was
  }

  async function choosePath(file) {
    const path = await sendFile(viewer, file, "compare");
    if (!path) return undefined;
    uploads.set(path, file.name);
    return choose({ source: { path } });
  }

  function drawFields() {
    const { other, scene } = state;
    for (const { input } of Object.values(fields)) input.disabled = isLive(viewer) || !state.scene; // a photo is compared, no film
    const entry = ({ name, title }) => {
      const strange = scene && !speakAlike(state.models, name, scene.model) ? "it has other labels" : "";
      return { value: name, title, ...refusedAs(strange) };
    };
    const photos = [
      ...state.examples.map(({ name }) => ({ value: JSON.stringify({ example: name }), title: name })),
      ...[...uploads].map(([path, title]) => ({ value: JSON.stringify({ path }), title })),
      { value: UPLOAD, title: "Upload a photo …" },
    ];
    const { source } = other?.differs ?? {};
    if (source?.path && !uploads.has(source.path)) photos.push({ value: JSON.stringify(source), title: "Your photo" });
    fields.photo.fill([asA, ...photos]);
    fields.photo.set(source ? JSON.stringify(source) : "");
    fields.model.fill([asA, ...state.models.map(entry)]);
    const { layers } = second.state.scene ?? { layers: [] };
    const refused = (layer) => refusedAs(refusalOf(second.state, second.state.method, layer.name) && `not by ${methodOf(second.state.method).title}`);
    fields.layer.fill([asA, ...layers.map((layer) => ({ value: layer.name, title: layerTitle(layers, layer), ...refused(layer) }))]);
    fields.method.fill([asA, ...(scene ? methodsHere(viewer).map(methodEntry(second.state)) : [])]);
    for (const name of ["model", "layer", "method"]) fields[name].set(other?.differs[name] ?? "");
  }

  /** Two bars a label, each with its letter and number. */
  function drawBars() {
    for (const button of root.querySelectorAll(".cam-labels button")) {
      const bars = button.querySelectorAll(".cam-b");
      if (!state.other) bars.forEach((part) => part.remove());
      if (!state.other) continue;
      if (!bars.length) button.append(make("span", { className: "cam-bar cam-b" }), make("span", { className: "cam-share cam-b" }));
      const { label, probability } = labelOf(state.scene, Number(button.dataset.target));
      const share = isReady() ? labelNamed(second.state.scene, label)?.probability : undefined;
      [...button.querySelectorAll(".cam-share")].forEach((place, i) => { place.textContent = sharesText([probability, share])[i]; });
      button.querySelector(".cam-bar.cam-b").style.setProperty("--share", String(share ?? 0));
    }
  }

  /** The controls show the state. What asks of one picture can't be used while there are two. */
  function draw() {
    const other = state.scene && state.other;
    if (host.open) { // a file stays as it was saved
      drawFields();
      find("[data-action=uncompare]").hidden = find(".cam-resting").hidden = !other;
      find(".cam-choosing").hidden = Boolean(other);
    }
    for (const chip of root.querySelectorAll(".cam-half")) chip.hidden = !other;
    for (const button of root.querySelectorAll(".cam-strip button")) {
      button.classList.toggle("cam-of-b", Boolean(other) && isReady() && button.dataset.layer === second.state.layer);
    }
    const alone = "[name=cam-use]:not([value=read]), [data-control=hider], [data-control=keep], [data-control=fill], [data-action=hottest], option[value=own]";
    for (const control of root.querySelectorAll(alone)) control.disabled = Boolean(other);
    if (!other) return;
    for (const control of root.querySelectorAll(".cam-history button")) control.disabled = true;
    const told = facts();
    [...root.querySelectorAll(".cam-half span")].forEach((text, i) => { text.textContent = i && !isReady() ? "…" : told[i]; });
  }

  /** Ask for the map that B lacks: of a label that it has not among its own, or of another layer or method. */
  function askForMissing() {
    if (!isReady() || mapNow(second) || refusalOf(second.state, second.state.method)) return;
    const lacking = [state.target, ...rivalsOf(state)].map((index) => labelText(state.scene, index)).filter((label) => !labelNamed(second.state.scene, label));
    if (lacking.length) second.askForLabels(lacking.slice(0, MOST));
    else second.askForMissing();
  }

  new ResizeObserver(() => state.other && viewer.set({})).observe(canvas);
  return {
    ...{ second, isReady, end, follow, askForMissing },
    ...{ paint, key: () => `${isReady()}${second.heat.key()}`, placeOn, cellOn },
    ...{ said, each, facts, overlap, drawBars, draw },
  };
}
