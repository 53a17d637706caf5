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

/** The lines of Python that compute this very map. */
function pythonOf(scene, state) {
  const text = (value) => JSON.stringify(value);
  return [
    ...scene.code.imports,
    "from camdemo import Explainer",
    "",
    "explanation = Explainer().explain(",
    `    ${scene.code.photo},`,
    `    model=${text(scene.model.name)},`,
    `    layer=${text(state.layer)},`,
    `    target=${state.target},  # ${labelOf(scene, state.target).label}`,
    ...(state.versus === null ? [] : [`    versus=${state.versus},  # ${labelOf(scene, state.versus).label}`]),
    `    framing=${text(scene.framing)},`,
    ")",
    "explanation.cam  # the signed map, float32",
    "",
  ].join("\n");
}

/** The explained label, and the one that it is compared with. */
function namesOf(scene, { target, versus }) {
  return [target, versus].filter((index) => index !== null).map((index) => labelOf(scene, index).label).join(" against ");
}

/** What the picture shows, in one line of plain text. */
function captionOf(scene, state) {
  const label = labelOf(scene, state.target);
  const kinds = { positive: "positive evidence", signed: "signed evidence", minmax: "min-max" };
  const kind = state.versus === null ? kinds[state.evidence] : "difference of two logits";
  return `${namesOf(scene, state)} ${percentText(label.probability)} · ${scene.model.title}, ${state.layer} · Grad-CAM, ${
    kind
  } · ${scene.versions}`;
}

/** A figure for slides: photo, overlay, labels, legend and caption, 1600 x 900. */
function figureOf(scene, state, photo, overlay, legend) {
  const canvas = document.createElement("canvas");
  canvas.width = 1600;
  canvas.height = 900;
  const context = canvas.getContext("2d");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, 1600, 900);
  const side = 600;
  const fit = (image, left) => {
    const factor = Math.min(side / image.width, 640 / image.height);
    const [width, height] = [image.width * factor, image.height * factor];
    context.drawImage(image, left + (side - width) / 2, 110 + (640 - height) / 2, width, height);
  };
  fit(photo, 30);
  fit(overlay, 650);
  context.fillStyle = "#111827";
  context.textBaseline = "middle";
  context.font = "600 44px system-ui, sans-serif";
  const label = labelOf(scene, state.target);
  context.fillText(`${label.label} · ${percentText(label.probability)}`, 30, 58);
  context.font = "22px system-ui, sans-serif";
  scene.labels.forEach((entry, i) => {
    if (i > 7) return;
    const top = 140 + 64 * i;
    context.fillStyle = entry.index === state.target ? "#0f766e" : "#6b7280";
    context.fillRect(1280, top + 16, Math.max(2, 290 * entry.probability), 10);
    context.fillStyle = "#111827";
    context.fillText(entry.label, 1280, top, 220);
    context.textAlign = "right";
    context.fillText(percentText(entry.probability), 1570, top);
    context.textAlign = "left";
  });
  if (legend) {
    context.drawImage(legend.canvas, 1280, 700, 290, 18);
    context.font = "18px system-ui, sans-serif";
    context.fillText(legend.from, 1280, 736);
    context.textAlign = "right";
    context.fillText(legend.to, 1570, 736);
    context.textAlign = "left";
  }
  context.fillStyle = "#4b5563";
  context.font = "20px system-ui, sans-serif";
  context.fillText(captionOf(scene, state), 30, 850, 1540);
  return canvas;
}

/** The address that opens this very view; only for an example, never for an upload. */
function linkOf(scene, state) {
  const query = new URLSearchParams({
    example: scene.example,
    model: scene.model.name,
    framing: scene.framing,
    layer: state.layer,
    label: labelOf(scene, state.target).label,
    versus: state.versus === null ? "" : labelOf(scene, state.versus).label,
    view: state.view,
    evidence: state.evidence,
    colormap: state.colormap,
    opacity: String(state.opacity),
  });
  return `${location.origin}${location.pathname}?${query}`;
}

/** A name for a file of this view. */
function fileName(state) {
  return `${namesOf(state.scene, state)}-${state.scene.model.name}-${state.layer}`.replace(/[^\w.-]+/g, "-");
}

/** The map as Captum returned it: large ones are averaged to travel, so ask for the whole. */
async function exactMap({ state, host, mapOf }) {
  const map = mapOf(state.layer, state.target);
  const [, height, width] = state.scene.layers.find(({ name }) => name === state.layer).shape;
  if (!host.maps || (map.exact && map.height === height && map.width === width)) return map;
  const exact = async (target) => {
    const answer = await host.maps({ id: state.scene.id, layers: [state.layer], targets: [target], exact: true });
    if (answer.error) throw new Error(answer.error);
    return decodeMap(answer.maps[0]);
  };
  const own = await exact(state.target);
  return state.versus === null ? own : differenceOf(own, await exact(state.versus));
}

/** What is seen, painted on the photo at its own resolution where the browser can read it. */
async function fullSize(viewer) {
  const { state, canvas } = viewer;
  let { photo } = state;
  if (state.scene.original) {
    const original = new Image();
    original.src = state.scene.original;
    await original.decode().then(() => { photo = original; }, () => {}); // else the display copy
  }
  const picture = make("canvas", { width: photo.naturalWidth, height: photo.naturalHeight });
  const [across, down] = [picture.width / canvas.width, picture.height / canvas.height];
  const [left, top, right, bottom] = state.scene.box;
  const box = [left * across, top * down, right * across, bottom * down].map(Math.round);
  const range = viewer.heat.rangeFor(state.layer, state.target);
  const map = viewer.mapOf(state.layer, state.target);
  const heat = range && heatOf(map, range, viewer.heat.settings(), box[3] - box[1], box[2] - box[0]);
  const context = picture.getContext("2d");
  paint(context, state, photo, box, heat);
  context.scale(across, down);
  if (regionsNow(state).length) paintHidden(context, state, regionsNow(state));
  return picture;
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
  viewer.say(done);
}

/** What each button of the viewer does. */
function actionsOf(viewer) {
  const { state, canvas, find } = viewer;
  return {
    stage: () => stageMode(viewer, true),
    help: () => find(".cam-help").showModal(),
    png: async () => {
      const name = fileName(state);
      (await fullSize(viewer)).toBlob((blob) => save(blob, `${name}.png`));
    },
    figure: () => {
      const overlay = make("canvas", { width: canvas.width, height: canvas.height });
      const seen = { ...state, view: "overlay" };
      paint(overlay.getContext("2d"), seen, state.photo, state.scene.box, viewer.heat.current());
      const range = viewer.heat.rangeFor(state.layer, state.target);
      const ends = range && { from: valueText(range.from), to: valueText(range.to) };
      const legend = range && { canvas: find(".cam-legend-bar"), ...ends };
      const figure = figureOf(state.scene, state, state.photo, overlay, legend);
      figure.toBlob((blob) => save(blob, `${fileName(state)}-figure.png`));
    },
    npy: async () => save(npyOf(await exactMap(viewer)), `${fileName(state)}.npy`),
    json: async () => {
      const { values, height, width } = await exactMap(viewer);
      const { labels, model, framing, box, size, versions } = state.scene;
      const numbers = {
        model: model.name,
        layer: state.layer,
        framing,
        target: labelOf(state.scene, state.target),
        versus: state.versus === null ? null : labelOf(state.scene, state.versus),
        labels,
        image: { width: size[0], height: size[1] },
        box: { left: box[0], top: box[1], right: box[2], bottom: box[3] },
        map: Array.from({ length: height }, (_, row) => [...values.subarray(row * width, (row + 1) * width)]),
        versions,
      };
      save(new Blob([JSON.stringify(numbers)], { type: "application/json" }), `${fileName(state)}.json`);
    },
    page: async () => {
      const answer = await viewer.host.page(state.scene.id);
      if (answer.error) throw new Error(answer.error);
      save(new Blob([answer.html], { type: "text/html" }), `${fileName(state)}.html`);
    },
    python: () => copy(viewer, pythonOf(state.scene, state), "The Python lines are copied."),
    link: () => {
      if (!state.scene.example) viewer.say("Only an example has a link: an uploaded photo stays yours.");
      else return copy(viewer, linkOf(state.scene, state), "The link is copied.");
    },
  };
}

/** Listen to the buttons; what goes wrong is said beside them. */
function listenToActions(viewer) {
  const actions = { ...actionsOf(viewer), ...hidingActions(viewer), unframe: viewer.framing.reset };
  viewer.root.addEventListener("click", async ({ target }) => {
    const action = target.dataset?.action;
    if (!action || !(viewer.state.scene || action === "help")) return;
    try {
      await actions[action]();
    } catch (error) {
      viewer.say(error.message);
    }
  });
}
