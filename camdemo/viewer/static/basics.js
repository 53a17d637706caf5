// Small things that many of the other files need.

/** A new element with properties and children. */
function make(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Write a text where it is not written yet: a live region is read out at each writing. */
function tell(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/**
 * Of questions that are asked one after the other only the last one counts. The function that this gives
 * begins one, and gives another that tells whether a later one has begun.
 */
function onlyTheLast() {
  let last = 0;
  return () => {
    const number = ++last;
    return () => number !== last;
  };
}

/** A number within 0 and the largest. */
function within(value, largest) {
  return Math.min(Math.max(value, 0), largest);
}

/** The entry of a label among those on the page. */
function labelOf(scene, index) {
  return scene.labels.find((label) => label.index === index);
}

/** A layer of a scene, by its name. */
function layerOf(scene, name) {
  return scene.layers.find((layer) => layer.name === name);
}

/** Whether the camera runs. Its frames come and go: only one that is frozen can be asked further. */
function isLive({ state }) {
  return Boolean(state.source?.camera);
}

/** Whether what is shown can be asked further; says what to do where it can't. */
function canBeAsked(viewer) {
  if (isLive(viewer)) viewer.say("Freeze the picture first (space), then ask further.");
  return !isLive(viewer);
}

/** What of a rectangle lies on a picture: that of "fit" reaches beyond it. */
function onPicture([left, top, right, bottom], { width, height }) {
  return [Math.max(left, 0), Math.max(top, 0), Math.min(right, width), Math.min(bottom, height)];
}

/**
 * The cells of a map that lie on the photo: first and last edge of them each way, in cells. All but
 * for the bars of "fit", where an edge may run through a cell.
 */
function cellsOnPhoto({ height, width }, { part: [left, top, right, bottom], input_size: [wide, high] }) {
  const edges = (cells, pixels, ...ends) => ends.map((end) => (end * cells) / pixels);
  return { across: edges(width, wide, left, right), down: edges(height, high, top, bottom) };
}

/** The cell of a map at a place of it, 0 to 1 across and down: {row, column, place}, of which that stays in another map. */
function cellThere({ height, width }, place) {
  return { row: Math.floor(place[1] * height), column: Math.floor(place[0] * width), place };
}

/** A cell by its row and column: {row, column, place}, its middle. */
function cellOf({ height, width }, row, column) {
  return { row, column, place: [(column + 0.5) / width, (row + 0.5) / height] };
}

/** The cell of the map at a place on the canvas, or null. */
function cellAt(viewer, { x, y }) {
  const { state } = viewer;
  if (x !== within(x, state.photo.width) || y !== within(y, state.photo.height)) return null;
  const map = viewer.mapOf(state.layer, state.target);
  if (!map) return null;
  const [left, top, right, bottom] = state.scene.box;
  const row = Math.floor(((y - top) / (bottom - top)) * map.height);
  const column = Math.floor(((x - left) / (right - left)) * map.width);
  const inside = row === within(row, map.height - 1) && column === within(column, map.width - 1);
  return inside ? cellOf(map, row, column) : null;
}
