// The heat of the current map: which values, which range, which colours; computed once each.

/** What small canvases show: the map, its range, the colours; and its palette indices. */
const tiles = new WeakMap();

/** Paint a small map where another one, or another look, is painted; all of it, no threshold. */
function paintTile(canvas, map, range, { evidence, pixels }) {
  const before = tiles.get(canvas) ?? {};
  const now = range ? { map, from: range.from, to: range.to, evidence, pixels } : {};
  const isSame = (...names) => names.every((name) => before[name] === now[name]);
  const sameValues = isSame("map", "from", "to", "evidence");
  if (sameValues && isSame("pixels")) return;
  const { height, width } = canvas;
  const all = [0, 0, width, height];
  const context = canvas.getContext("2d");
  if (range) {
    now.indices = sameValues ? before.indices : indicesOf(map, range, evidence, all, all);
    context.putImageData(coloured(now.indices, pixels, height, width), 0, 0);
  } else {
    context.clearRect(0, 0, width, height);
  }
  tiles.set(canvas, now);
}

/** What paints the heat of a viewer; only what has changed is computed again. */
function heatOfViewer(viewer) {
  const { state } = viewer;
  const done = { values: "", area: "" }; // what was computed last
  let indices = null; // of the palette, one a pixel of the box on the photo: other colours need no new ones
  let weakest = 0; // the strength from which on they are painted

  /** A map as it is painted: of pixels it may be smoothed. */
  const seen = (map) => (map && isPixel(state.method) ? smoothed(map, state.smooth) : map);

  /** What the ends of the palette stand for, or null when the map says nothing. */
  function rangeFor(layer, target) {
    const map = seen(viewer.mapOf(layer, target));
    if (!map || !displayRange(ownRange(map), evidence())) return null;
    const shared = state.shared && state.versus === null;
    const all = () => state.scene.labels.map(({ index }) => seen(viewer.mapOf(layer, index))).filter(Boolean);
    return displayRange(rangeOf(shared ? all() : [map]), evidence());
  }

  /** Two labels against each other are shown in diverging colours, zero in neutral. */
  const evidence = () => (state.versus === null ? state.evidence : "signed");

  function settings() {
    const name = evidence() === "signed" ? "signed" : state.colormap;
    return { evidence: evidence(), pixels: viewer.palettes[name] };
  }

  /** Changes whenever the heat would have other values. */
  function valuesKey() {
    const { revision, method, layer, target, versus, strength, shared } = state;
    const ofPixels = isPixel(method) ? [state.smooth, settingsText(state, method)] : [];
    return [revision, method, layer, target, versus, strength, evidence(), shared, ...ofPixels].join("|");
  }

  /** Changes whenever a small map would look different. */
  const key = () => [valuesKey(), state.colormap].join("|");

  /** The palette indices of the current map on a box, as far as it lies on a picture; null when it says nothing. */
  function indicesIn(box, picture) {
    const range = rangeFor(state.layer, state.target);
    const map = seen(viewer.mapOf(state.layer, state.target));
    return range && indicesOf(map, range, evidence(), box, onPicture(box, picture));
  }

  /** The heat on another picture than the canvas, such as the photo itself, as `paint` wants it. */
  function inBox(box, picture) {
    const found = indicesIn(box, picture);
    return found && { ...settings(), indices: found, weakest: weakestOf(found, evidence(), state.strongest) };
  }

  /** The same on the canvas, where it is painted again and again. */
  function current() {
    if (done.values !== valuesKey()) {
      indices = indicesIn(state.scene.box, state.photo);
      done.values = valuesKey();
    }
    const area = [valuesKey(), state.strongest].join("|");
    if (indices && done.area !== area) {
      weakest = weakestOf(indices, evidence(), state.strongest);
      done.area = area;
    }
    return indices && { ...settings(), indices, weakest };
  }

  return { seen, rangeFor, evidence, settings, key, current, inBox };
}
