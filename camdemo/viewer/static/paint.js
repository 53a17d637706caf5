// Painting: the photo, the heat on it, and what the model never saw. It keeps nothing but the pixels
// of the photo under the heat, so that they are read once.

const MARGIN_LIGHT = 0.4; // how bright the margin that the model never saw is left

/** A photo's pixels where the heat lies, and room to blend them; until the box moves, or the picture is another. */
const seenParts = new WeakMap();
function seenPart(photo, box, { width, height }) {
  const [left, top, right, bottom] = box;
  const place = String([box, width, height]);
  if (seenParts.get(photo)?.place !== place) {
    const context = make("canvas", { width, height }).getContext("2d", { willReadFrequently: true });
    context.drawImage(photo, 0, 0, width, height);
    const under = context.getImageData(left, top, right - left, bottom - top);
    seenParts.set(photo, { place, under, blended: new ImageData(under.width, under.height) });
  }
  return seenParts.get(photo);
}

/**
 * Heat over pixels, rounded once, as picture.py does it; `covers` has how much each colour covers.
 * (A canvas's own blending rounds each part by itself: whole pictures come out up to two grey
 * levels off.)
 */
function blend({ under, blended }, { indices, pixels }, covers) {
  // Whole numbers with a sign are the fastest here: fractions take twice as long.
  const [below, target] = [under, blended].map(({ data }) => new Int32Array(data.buffer));
  const rest = covers.map((share) => ALL - share);
  const [reds, greens, blues] = [0, 8, 16].map((bits) =>
    covers.map((share, index) => Math.imul((pixels[index] >> bits) & 255, share) + ALL / 2));
  for (let i = 0; i < target.length; i++) {
    const a = below[i];
    const index = indices[i];
    const left = rest[index];
    const red = (Math.imul(a & 255, left) + reds[index]) >> 15;
    const green = (Math.imul((a >> 8) & 255, left) + greens[index]) >> 15;
    const blue = (Math.imul((a >> 16) & 255, left) + blues[index]) >> 15;
    target[i] = (255 << 24) | (blue << 16) | (green << 8) | red;
  }
  return blended;
}

/**
 * Paint a view of a photo into a context; `box` is in the context's pixels, and may reach beyond them.
 * `heat` is {indices, pixels, evidence, weakest} of what of it lies on the photo, or null for a map that
 * says nothing.
 */
function paint(context, { view, look, opacity, split, zoom = 1 }, photo, box, heat) {
  const { width, height } = context.canvas;
  const onPhoto = onPicture(box, context.canvas);
  context.drawImage(photo, 0, 0, width, height);
  if (view === "photo" || !heat) return;
  const seen = blend(seenPart(photo, onPhoto, context.canvas), heat, coversOf({ look, opacity }, heat));
  context.putImageData(seen, onPhoto[0], onPhoto[1]);
  dimMargin(context, onPhoto, zoom);
  if (view === "split") {
    const edge = Math.round(split * width);
    const part = (edge / width) * photo.width;
    if (edge > 0) context.drawImage(photo, 0, 0, part, photo.height, 0, 0, edge, height);
    context.fillStyle = "#ffffff";
    context.fillRect(edge - 1, 0, Math.max(2, Math.round(width / 400)), height);
  }
}

/** Give a canvas a size: what has it already is not cleared. */
function fitCanvas(canvas, { width, height }) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

/** Paint what a viewer shows of its photo, and the cell that is read out. */
function paintView({ state, heat, mapOf }, context, zoom = 1) {
  const { scene, photo, layer, target, cell, plain } = state;
  const view = plain ? "photo" : state.view;
  const seen = Object.create(state, { view: { value: view }, zoom: { value: zoom } });
  paint(context, seen, photo, scene.box, heat.current());
  const map = mapOf(layer, target);
  if (map && cell && view !== "photo") outline(context, rectOf(map, scene.box, cell, photo));
}

/** What was painted fades into what is painted now: for an eye that must see what has changed. */
function fadeFrom(canvas, before) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (still || before.width !== canvas.width || before.height !== canvas.height) {
    Object.assign(before, { width: canvas.width, height: canvas.height });
    if (still) return;
  }
  before.getContext("2d").drawImage(canvas, 0, 0);
  before.classList.remove("cam-fading");
  void before.offsetWidth; // so that the animation begins again
  before.classList.add("cam-fading");
}

const ZOOMS = 0.35; // the share of the photo below which what the model sees is brought nearer
const AROUND = 1.15; // how much of the photo is left about it

/** Bring a small frame nearer, unless it is being moved; how much. (By a style: no pixel is painted anew.) */
function zoomTo({ canvas, state, find }) {
  const { scene, tool, frame, other } = state;
  if (!scene) return 1;
  const [left, top, right, bottom] = onPicture(scene.box, state.photo);
  const [width, height] = [right - left, bottom - top];
  const room = canvas.parentElement;
  const fitted = Math.min(room.clientWidth / canvas.width, room.clientHeight / canvas.height);
  const near = Math.min(room.clientWidth / width, room.clientHeight / height) / (AROUND * fitted);
  const zooms = width * height < ZOOMS * canvas.width * canvas.height && tool !== "frame" && !frame && !other;
  const zoom = zooms ? Math.max(1, near) : 1;
  const shift = (size, middle, seen) => {
    const most = Math.max(0, (size * fitted * zoom - seen) / 2); // no emptiness beside the photo
    return within((size / 2 - middle) * fitted * zoom + most, 2 * most) - most;
  };
  const [x, y] = [shift(canvas.width, left + width / 2, room.clientWidth), shift(canvas.height, top + height / 2, room.clientHeight)];
  const style = zoom > 1 ? `translate(${x}px, ${y}px) scale(${zoom})` : "";
  for (const each of [canvas, find(".cam-before")]) each.style.transform = style;
  return zoom;
}

/** Dim and outline what the model did not see; the line lies on the margin. */
function dimMargin(context, [left, top, right, bottom], zoom) {
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
  const line = Math.max(1, Math.round(Math.max(width, height) / 500 / zoom));
  fillBetween(
    Math.max(left - line, 0),
    Math.max(top - line, 0),
    Math.min(right + line, width),
    Math.min(bottom + line, height),
  );
}

/** A cell of a map as a rectangle of the photo, as far as it lies on that: left, top, right, bottom. */
function rectOf(map, [left, top, right, bottom], { row, column }, size) {
  const [width, height] = [(right - left) / map.width, (bottom - top) / map.height];
  const rect = [left + column * width, top + row * height, left + (column + 1) * width, top + (row + 1) * height];
  return onPicture(rect, size);
}

/** Outline a rectangle in white on black, which is seen on any photo; `more` adds to each colour. */
function outline(context, [left, top, right, bottom], more = () => {}) {
  const line = Math.max(2, context.canvas.width / 400);
  for (const [colour, thickness] of [["#000000", 2 * line], ["#ffffff", line]]) {
    Object.assign(context, { strokeStyle: colour, fillStyle: colour, lineWidth: thickness });
    context.strokeRect(left, top, right - left, bottom - top);
    more(2.5 * line + thickness / 2);
  }
}
