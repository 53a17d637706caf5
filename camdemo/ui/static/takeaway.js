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
    `    framing=${text(scene.framing)},`,
    ")",
    "explanation.cam  # the signed map, float32",
    "",
  ].join("\n");
}

/** What the picture shows, in one line of plain text. */
function captionOf(scene, state) {
  const label = labelOf(scene, state.target);
  const evidence = { positive: "positive evidence", signed: "signed evidence", minmax: "min-max" };
  return `${label.label} ${percentText(label.probability)} · ${scene.model.title}, ${state.layer} · Grad-CAM, ${
    evidence[state.evidence]
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
    view: state.view,
    evidence: state.evidence,
    colormap: state.colormap,
    opacity: String(state.opacity),
  });
  return `${location.origin}${location.pathname}?${query}`;
}
