// Painting: the photo, the heat on it, and what the model never saw. No state of its own.

const MARGIN_LIGHT = 0.4; // how bright the margin that the model never saw is left

/**
 * Paint a view of a photo into a context; `box` is in the context's pixels.
 * `heat` is a canvas of the box's size, or null for a map that says nothing.
 */
function paint(context, { view, opacity, split }, photo, box, heat) {
  const { width, height } = context.canvas;
  context.globalAlpha = 1;
  context.drawImage(photo, 0, 0, width, height);
  if (view === "photo" || !heat) return;
  context.globalAlpha = view === "heat" ? 1 : opacity;
  context.drawImage(heat, box[0], box[1]);
  context.globalAlpha = 1;
  dimMargin(context, box);
  if (view === "split") {
    const edge = Math.round(split * width);
    const part = (edge / width) * photo.width;
    if (edge > 0) context.drawImage(photo, 0, 0, part, photo.height, 0, 0, edge, height);
    context.fillStyle = "#ffffff";
    context.fillRect(edge - 1, 0, Math.max(2, Math.round(width / 400)), height);
  }
}

/** Dim and outline what the model did not see; the line lies on the margin. */
function dimMargin(context, [left, top, right, bottom]) {
  const { width, height } = context.canvas;
  if (right - left === width && bottom - top === height) return;
  const fillBetween = (outerLeft, outerTop, outerRight, outerBottom) => {
    context.fillRect(outerLeft, outerTop, outerRight - outerLeft, top - outerTop);
    context.fillRect(outerLeft, bottom, outerRight - outerLeft, outerBottom - bottom);
    context.fillRect(outerLeft, top, left - outerLeft, bottom - top);
    context.fillRect(right, top, outerRight - right, bottom - top);
  };
  context.fillStyle = `rgba(0, 0, 0, ${1 - MARGIN_LIGHT})`;
  fillBetween(0, 0, width, height);
  context.fillStyle = "#ffffff";
  const line = Math.max(1, Math.round(Math.max(width, height) / 500));
  fillBetween(
    Math.max(left - line, 0),
    Math.max(top - line, 0),
    Math.min(right + line, width),
    Math.min(bottom + line, height),
  );
}

/** Outline one cell of a map. */
function outlineCell(context, map, [left, top, right, bottom], { row, column }) {
  const width = (right - left) / map.width;
  const height = (bottom - top) / map.height;
  const line = Math.max(2, context.canvas.width / 400);
  for (const [colour, thickness] of [["#000000", 2 * line], ["#ffffff", line]]) {
    context.strokeStyle = colour;
    context.lineWidth = thickness;
    context.strokeRect(left + column * width, top + row * height, width, height);
  }
}

/** A map as a canvas of its own. */
function heatCanvas(map, range, settings, height, width, canvas = document.createElement("canvas")) {
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(heatOf(map, range, settings, height, width), 0, 0);
  return canvas;
}
