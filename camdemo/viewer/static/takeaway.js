// What a person takes away: pictures, numbers, code and links. All made in the browser.

/** Offer a file for download. */
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** The bytes of a NumPy file (format 1.0) of float32, C order. */
function npyOf({ height, width, values }) {
  const shape = `{'descr': '<f4', 'fortran_order': False, 'shape': (${height}, ${width}), }`;
  const padding = 63 - ((10 + shape.length) % 64);
  const header = shape + " ".repeat(padding) + "\n";
  const start = new Uint8Array(10 + header.length);
  start.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]);
  for (let i = 0; i < header.length; i++) start[10 + i] = header.charCodeAt(i);
  return new Blob([start, new Float32Array(values)]);
}

/** A name for a file of this view. */
function fileName(state) {
  const { scene, method, other } = state;
  const layer = isPixel(method) ? INPUT : state.layer;
  const unusual = [[method, optionOf("method")], [scene.framing, optionOf("framing")], [other && "compared", {}]]
    .flatMap(([value, option]) => (value && value !== option.default ? [value] : []));
  return [namesOf(scene, state), scene.model.name, layer, ...unusual].join("-").replace(/[^\w.-]+/g, "-");
}

/** Nothing is taken away while the model only glances. */
function checkFrame({ frame }) {
  if (frame) throw new Error("The frame still moves. Try again when it rests.");
}

/** What a map lost on its way here: "averaged" to fewer cells, "rounded" to 16 bits, or nothing. */
function lossOf(map, { shape: [, height, width] }) {
  if (map.height !== height || map.width !== width) return "averaged";
  return map.exact ? "" : "rounded";
}

/**
 * The map as it was computed, and what it has lost where that can't be had: the server has every map
 * whole, a file only those of the view that it was saved with.
 */
async function wholeMap({ state, host, mapOf }) {
  checkFrame(state);
  const { scene, layer, method, target, strength } = state;
  const rivals = rivalsOf(state);
  const facts = layerOf(scene, layer);
  const map = mapOf(layer, target);
  if (!map) throw new Error("This map is still being computed. Try again when it is here.");
  if (isPixel(method)) return { map, loss: "rounded" };
  if (!lossOf(map, facts)) return { map, loss: "" };
  const whole = async (index, compared = {}) => {
    const asked = { layers: [layer], targets: [index], method, ...compared, exact: true };
    const answer = host.maps ? await host.maps({ id: scene.id, ...asked }) : { maps: scene.exact };
    if (answer.error) throw new Error(answer.error);
    const packet = answer.maps.find((each) =>
      each.layer === layer && each.target === index && each.method === method && String(each.versus) === String(compared.versus ?? []));
    return packet && decodeMap(packet);
  };
  const linear = methodOf(method).linear;
  const own = await whole(target, linear || !rivals.length ? {} : comparedIn(state));
  const others = linear ? await Promise.all(rivals.map((index) => whole(index))) : [];
  if (!own || !others.every(Boolean)) return { map, loss: lossOf(map, facts) };
  return { map: others.length ? contrastOf(own, others, strength) : own, loss: "" };
}

/** What is said beside a map that is not the computed one. */
function describeLoss(loss, { shape: [, height, width] }) {
  if (loss === "rounded") return "This file has the map rounded, as it travels to the page.";
  return loss && `This file has the map averaged to fewer cells than its ${height} x ${width}. The page on a server has it whole.`;
}

/** What must be known of a map that is drawn: evidence in the bars; as Explanation.caveat says it. */
function describeDrawn(map, scene, state) {
  const { label } = labelOf(scene, state.target);
  const sides = state.versus === null
    ? [[map, `the evidence for ${label}`]]
    : [[map, `what speaks for ${label}`], [opposite(map), `what speaks for ${rivalText(scene, state)}`]];
  const told = sides.map(([side, what]) => [placeOf(side, scene).bars, what]).filter(([bars]) => bars > WORTH_SAYING);
  return told.map(([bars, what]) => describeBars(bars, what)).join(" ");
}

/** What is hidden, and what the model says to that; null where nothing is. */
function hiddenNumbers(state) {
  const { scene, fill, keep, answer } = state;
  if (!regionsNow(state).length) return null;
  const predictions = answer && scene.labels.map((label) => ({ ...label, probability: answer.now[label.index] }));
  return { regions: regionsTaken(state), fill, keep, predictions };
}

/** The map and all that belongs to it, under the names of Explanation.summary(). */
function numbersOf({ state, heat }, { values, height, width }, loss) {
  const { scene, layer, method, target, strength } = state;
  const rivals = rivalsOf(state);
  const { low, high } = rangeOf([{ values }]);
  const [left, top, right, bottom] = scene.natural_box;
  return {
    model: scene.model.name,
    layer: isPixel(method) ? INPUT : layer,
    method,
    ...(isPixel(method) ? { settings: settingsOf(state, method), gap: state.known.told.get(pixelKey(state, method, target))?.gap ?? null } : {}),
    framing: scene.framing,
    target: labelOf(scene, target),
    versus: rivals.map((index) => labelOf(scene, index)),
    strength: rivals.length ? strength : 1,
    predictions: scene.labels.slice(0, 5), // what else is on the page stands behind them
    image: { width: scene.size[0], height: scene.size[1] },
    box: { left, top, right, bottom },
    map: Array.from({ length: height }, (_, row) => [...values.subarray(row * width, (row + 1) * width)]),
    range: { min: low, max: high },
    note: heat.rangeFor(layer, target)
      ? describeDrawn({ values, height, width }, scene, state)
      : describeNothing(heat.evidence(), labelOf(scene, target).label),
    look: lookOf(state),
    hidden: hiddenNumbers(state),
    averaged: loss === "averaged",
    rounded: loss === "rounded",
    versions: scene.versions,
  };
}

/** The photo itself, transparency laid over white, where the browser can read it; else null. */
async function originalOf({ original, size: [width, height] }) {
  if (!original) return null;
  const photo = new Image();
  photo.src = original;
  const read = await photo.decode().then(() => true, () => false);
  if (!read || photo.naturalWidth !== width || photo.naturalHeight !== height) return null;
  const context = make("canvas", { width, height }).getContext("2d");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, width, height);
  context.drawImage(photo, 0, 0);
  return context.canvas;
}

/** What is seen, painted on the photo at its own resolution, or on the copy where that can't be read. */
async function fullSize(viewer) {
  const { state, canvas } = viewer;
  checkFrame(state);
  const { scene } = state;
  const photo = (await originalOf(scene)) ?? state.photo;
  const [width, height] = scene.size;
  const isSmaller = photo.width * photo.height < width * height; // the copy of a large photo
  const size = isSmaller ? { width: photo.width, height: photo.height } : { width, height };
  const picture = make("canvas", size);
  const box = isSmaller ? scene.box : scene.natural_box;
  const context = picture.getContext("2d");
  paint(context, state, photo, box, viewer.heat.inBox(box, picture));
  context.scale(picture.width / canvas.width, picture.height / canvas.height);
  if (regionsNow(state).length) paintHidden(context, state, regionsNow(state));
  return picture;
}

/** What is asked of the server for a file that opens as this is seen; `beside` is the state of B, or null. */
function pageQuestion(state, beside) {
  const { scene, split, fill, keep, answer } = state;
  const labels = scene.labels.map(({ index }) => index);
  const of = (values) => (values ? labels.map((index) => values[index]) : null);
  const said = answer && {
    labels, now: of(answer.now), elsewhere: of(answer.elsewhere), errors: of(answer.errors), overlap: answer.overlap, first: answer.first,
  };
  const hidden = regionsNow(state).length ? { regions: regionsNow(state), fill, keep, answer: said } : null;
  const other = beside && shownMap(beside);
  return { ...shownMap(state), fill, look: lookOf(state), split, hidden, beside: other };
}

/** What is compared must be here. */
function checkBoth(comparing) {
  if (!comparing.isReady()) throw new Error("What is compared is still being computed. Try again when it is here.");
}

/** B's own numbers, and what it has in common with A, as Comparison has it. */
async function numbersCompared({ comparing }) {
  checkBoth(comparing);
  const { second } = comparing;
  const { map, loss } = await wholeMap(second);
  const { overlap, chance } = comparing.overlap() ?? { overlap: null, chance: null };
  return { ...numbersOf(second, map, loss), overlap, chance, text: comparing.said().words };
}

/** What is said beside a picture that is smaller than the photo. */
function describeSize(picture, [width, height]) {
  if (picture.width === width && picture.height === height) return "";
  return `The photo of ${width} x ${height} can't be read here: its copy of ${picture.width} x ${picture.height} was saved.`;
}

/** Copy a text, and say so. */
async function copy(viewer, text, done) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without the right to the clipboard (a page inside another one), the old way.
    const field = make("textarea", { value: text });
    viewer.root.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  viewer.say(done, "save");
}

/** What each button of the viewer does. */
function actionsOf(viewer) {
  const { state, canvas, find } = viewer;
  const sides = () => [viewer, viewer.comparing.second];
  /** The two that are compared, each on its photo at its own resolution. */
  const bothFullSize = (view = state.view) => {
    checkBoth(viewer.comparing);
    const seen = (side) => Object.assign(Object.create(side), { state: Object.create(side.state, { view: { value: view } }) });
    return Promise.all(sides().map((side) => fullSize(seen(side))));
  };
  const sayLoss = (loss) =>
    viewer.say(describeLoss(loss, layerOf(state.scene, state.layer)), "save");
  return {
    stage: () => stageMode(viewer, true),
    leave: () => stageMode(viewer, false),
    help: () => showHelp(viewer),
    upload: () => find(".cam-file").click(),
    camera: () => viewer.open({ source: { camera: true } }, { at: "photo" }),
    freeze: () => viewer.live.freeze(),
    stop: () => viewer.live.stop(),
    cancel: () => {
      const running = sides().find(({ pixels }) => pixels.isRunning());
      return running ? running.pixels.stop() : viewer.cancelDownload();
    },
    uncompare: () => viewer.comparing.end(),
    png: async () => {
      const { scene } = state;
      const name = fileName(state);
      const area = { width: canvas.clientWidth, height: canvas.clientHeight };
      const picture = state.other
        ? joined(await bothFullSize(), viewer.comparing.facts(), area)
        : await fullSize(viewer);
      picture.toBlob((blob) => save(blob, `${name}.png`));
      viewer.say(state.other ? "" : describeSize(picture, scene.size), "save");
    },
    figure: async () => {
      checkFrame(state);
      if (state.other) {
        const { said, facts } = viewer.comparing;
        const pictures = await bothFullSize("overlay");
        const figure = figureOfTwo(sides().map((side) => side.state), said(), facts(), pictures, captionOf);
        return figure.toBlob((blob) => save(blob, `${fileName(state)}-figure.png`));
      }
      const overlay = make("canvas", { width: canvas.width, height: canvas.height });
      const seen = { ...state, view: "overlay" };
      paint(overlay.getContext("2d"), seen, state.photo, state.scene.box, viewer.heat.current());
      if (regionsNow(state).length) paintHidden(overlay.getContext("2d"), state, regionsNow(state));
      const range = viewer.heat.rangeFor(state.layer, state.target);
      const ends = range && { from: valueText(range.from), to: valueText(range.to) };
      const legend = range && { canvas: find(".cam-legend-bar"), ...ends };
      const figure = figureOf(viewer, state.photo, overlay, legend);
      figure.toBlob((blob) => save(blob, `${fileName(state)}-figure.png`));
    },
    npy: async () => {
      const [name, { map, loss }] = [fileName(state), await wholeMap(viewer)];
      save(npyOf(map), `${[name, ...(loss ? [loss] : [])].join("-")}.npy`);
      sayLoss(loss);
    },
    json: async () => {
      const [name, { map, loss }] = [fileName(state), await wholeMap(viewer)];
      const numbers = numbersOf(viewer, map, loss);
      const compared = state.other ? { compared: await numbersCompared(viewer) } : {};
      const text = JSON.stringify({ ...numbers, ...compared });
      save(new Blob([text], { type: "application/json" }), `${[name, ...(loss ? [loss] : [])].join("-")}.json`);
      sayLoss(loss);
    },
    page: async () => {
      checkFrame(state);
      const name = fileName(state);
      if (state.other) checkBoth(viewer.comparing);
      const answer = await viewer.host.page(pageQuestion(state, state.other && viewer.comparing.second.state));
      if (answer.error) throw new Error(answer.error);
      save(new Blob([answer.html], { type: "text/html" }), `${name}.html`);
    },
    python: () => copy(viewer, pythonOf(state, state.other && viewer.comparing.second.state), "The Python lines are copied."),
    link: () => {
      if (!state.scene.example) viewer.say("Only an example has a link: an uploaded photo stays yours.", "save");
      else if (state.other?.differs.source?.path) return copy(viewer, linkOf(viewer), "The link is copied, of A alone: an uploaded photo stays yours.");
      else return copy(viewer, linkOf(viewer), "The link is copied.");
    },
  };
}

const WITHOUT_SCENE = ["help", "upload", "camera", "cancel", "leave"];

/** Listen to the buttons; what goes wrong is said beside them. */
function listenToActions(viewer) {
  const actions = { ...actionsOf(viewer), ...hidingActions(viewer), ...viewer.trust.actions };
  viewer.root.addEventListener("click", async ({ target }) => {
    const button = target.closest("[data-action]");
    if (!button || !(viewer.state.scene || WITHOUT_SCENE.includes(button.dataset.action))) return;
    try {
      await actions[button.dataset.action]();
    } catch (error) {
      viewer.say(error.message, button.closest("#cam-menu-save") ? "save" : "canvas");
    }
  });
}
