// The figure for slides: photo, overlay, labels, legend, and a caption that says what all of it is.

/** A label's probability; with a part hidden that before and after. */
function shareText({ answer }, { index, probability }) {
  return [probability, ...(answer ? [answer.now[index]] : [])].map(percentText).join(" → ");
}

/** What is hidden, in a few words; none where nothing is. */
function hidingText(state) {
  if (!regionsNow(state).length) return [];
  const { title } = optionOf("fill").values.find(({ name }) => name === state.fill);
  return [`${state.keep ? "all but a part" : "a part"} hidden by ${title}`];
}

/** What the model was shown, where that is not the usual. */
function framingText({ framing }) {
  const { values, default: usual } = optionOf("framing");
  if (framing === usual) return [];
  return [values.find(({ name }) => name === framing)?.title.toLowerCase() ?? `frame ${framing}`];
}

/** The look and its colours: "Glow, Inferno, 85 %"; those of a signed map are always the same. */
function lookText(state) {
  const title = (name) => optionOf(name).values.find((value) => value.name === state[name]).title;
  const isSigned = state.versus !== null || state.evidence === "signed";
  return [title("look"), ...(isSigned ? [] : [title("colormap")]), percentText(state.opacity)].join(", ");
}

/** What the picture shows, in one line of plain text. */
function captionOf(scene, state) {
  const label = labelOf(scene, state.target);
  const { title } = optionOf("evidence").values.find(({ name }) => name === state.evidence);
  const rivals = rivalsOf({ ...state, scene });
  const kind = { 0: title.toLowerCase(), 1: "difference of two logits" }[rivals.length] ?? "logit less the mean of others";
  const strongest = state.strongest < 100 ? [`strongest ${state.strongest} %`] : [];
  return [
    `${namesOf(scene, state)} ${shareText(state, label)}`,
    `${scene.model.title}, ${isPixel(state.method) ? "input" : layerOf(scene, state.layer).parts.length ? "all layers" : state.layer}`,
    [methodOf(state.method).title, ...(isPixel(state.method) && settingsText(state, state.method) ? [settingsText(state, state.method).replaceAll("=", " ").replaceAll(",", ", ")] : []), kind, ...strongest].join(", "),
    lookText(state),
    ...framingText(scene),
    ...hidingText(state),
    scene.versions,
  ].join(" · ");
}

/** What was found of a map as lines of text, each {text, font}, as wide as there is room. */
function linesOfTests(context, results, width) {
  return results.flatMap(([, { verdict, numbers }]) => [[verdict, "600 22px"], [numbers, "18px"]].flatMap(([text, size]) => {
    const font = `${size} system-ui, sans-serif`;
    context.font = font;
    return text ? linesOf(context, text, width).map((line) => ({ text: line, font })) : [];
  }));
}

/**
 * What was found when the map was put to the test: sentences, and beside them the curves and the maps from
 * random weights. Drawn below `top`, or only measured without; returns how high it is.
 */
function drawTested(context, viewer, results, top = null) {
  const { curves, randomised } = Object.fromEntries(results);
  const lines = linesOfTests(context, results, curves || randomised ? 980 : 1540);
  const below = curves ? 250 : 0;
  const height = Math.max(28 * lines.length, below + (randomised ? 116 : 0)) + 24;
  if (top === null || !results.length) return results.length ? height : 0;
  Object.assign(context, { fillStyle: "#111827", textAlign: "left", textBaseline: "middle" });
  lines.forEach(({ text, font }, i) => {
    context.font = font;
    context.fillText(text, 30, top + 14 + 28 * i, 1540);
  });
  if (curves) {
    const plot = make("canvas", { width: 480, height: 240 });
    drawCurves(plot, curves, "#111827");
    context.drawImage(plot, 1060, top);
  }
  randomised?.steps.forEach((step, i) => {
    const mini = make("canvas", { width: 84, height: 84 });
    paintStep(viewer, mini, step);
    context.drawImage(mini, 1060 + 100 * i, top + below);
    context.font = "18px system-ui, sans-serif";
    context.fillText(`${step.likeness.toFixed(2)}${step.behind ? "" : " (all)"}`, 1060 + 100 * i, top + below + 98, 96);
  });
  return height;
}

/** A figure for slides: photo, overlay, labels, legend and caption, 1600 x 900, and below them what the map was put to. */
function figureOf(viewer, photo, overlay, legend) {
  const { state } = viewer;
  const { scene } = state;
  const canvas = document.createElement("canvas");
  canvas.width = 1600;
  const context = canvas.getContext("2d");
  const results = viewer.trust.results();
  canvas.height = 900 + drawTested(context, viewer, results);
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, 1600, canvas.height);
  drawTested(context, viewer, results, 900);
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
  context.fillText(`${label.label} · ${shareText(state, label)}`, 30, 58, 1540);
  context.font = "22px system-ui, sans-serif";
  scene.labels.forEach((entry, i) => {
    if (i > 7) return;
    const top = 140 + 64 * i;
    context.fillStyle = entry.index === state.target ? "#0f766e" : "#6b7280";
    const now = state.answer ? state.answer.now[entry.index] : entry.probability;
    context.fillRect(1280, top + 16, Math.max(2, 290 * now), 10);
    context.fillStyle = "#111827";
    if (state.answer) context.fillRect(1278 + 290 * entry.probability, top + 14, 3, 14); // where it ended before
    const share = shareText(state, entry);
    context.fillText(entry.label, 1280, top, 270 - context.measureText(share).width);
    context.textAlign = "right";
    context.fillText(share, 1570, top);
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
  const parts = captionOf(scene, state).split(" · ");
  const place = context.measureText(parts.join(" · ")).width > 1540 ? parts.length >> 1 : parts.length; // one line, or two
  [parts.slice(0, place), parts.slice(place)].forEach((line, i) => context.fillText(line.join(" · "), 30, 835 + 30 * i, 1540));
  return canvas;
}
