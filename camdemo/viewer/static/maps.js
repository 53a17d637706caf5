// Maps: from what travelled to values, and from values to colours. The same arithmetic as
// camdemo/picture.py, which tests/browser/test_parity.py holds it to.

/** Bytes of a base64 text. */
function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  // (Uint8Array.from with a function takes over ten times as long, and all maps come at once.)
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** A map as it travels -> {height, width, values: Float32Array, exact}, signed. */
function decodeMap(packet) {
  const bytes = bytesOf(packet.data);
  let values;
  if (packet.type === "f4") {
    values = new Float32Array(bytes.buffer);
  } else if (packet.type === "q1") { // a map of pixels: signed square roots
    values = Float32Array.from(new Int8Array(bytes.buffer), (step) => (packet.largest * step * Math.abs(step)) / 16129);
  } else {
    const steps = new Int16Array(bytes.buffer);
    values = new Float32Array(steps.length);
    for (let i = 0; i < steps.length; i++) values[i] = (steps[i] / 32767) * packet.largest;
  }
  return { height: packet.height, width: packet.width, values, exact: packet.type === "f4" };
}

/** The smallest and the largest value of a map: searched once, for it is asked at each repaint. */
const ranges = new WeakMap();
function ownRange(map) {
  if (!ranges.has(map)) {
    let low = Infinity;
    let high = -Infinity;
    for (const value of map.values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    ranges.set(map, { low, high });
  }
  return ranges.get(map);
}

/** The smallest and the largest value of several maps. */
function rangeOf(maps) {
  const all = maps.map(ownRange);
  return { low: Math.min(...all.map(({ low }) => low)), high: Math.max(...all.map(({ high }) => high)) };
}

/** What 0 and 255 of the palette stand for, or null when there is nothing to show. */
function displayRange({ low, high }, evidence) {
  if (evidence === "positive") return high > 0 ? { from: 0, to: high } : null;
  if (evidence === "signed") {
    const largest = Math.max(high, -low);
    return largest > 0 ? { from: -largest, to: largest } : null;
  }
  return high > low ? { from: low, to: high } : null;
}

/** Values -> 0..255 floats for the palette; only "positive" cuts before it is upsampled. */
function scaled(map, range, evidence) {
  const factor = 255 / (range.to - range.from);
  const values = new Float32Array(map.values.length);
  for (let i = 0; i < values.length; i++) {
    const value = map.values[i];
    values[i] = ((evidence === "positive" && value < 0 ? 0 : value) - range.from) * factor;
  }
  return values;
}

/** The bicubic's a: OpenCV's for the notebook's picture, else the one that never overshoots. */
const bendOf = (evidence) => (evidence === "minmax" ? -0.75 : 0);

/**
 * Bicubic taps along one axis, as picture.shares has them, of the pixels from `first` to `last` of
 * all `to`; beyond the edge the last cell goes on.
 */
function cubicTaps(from, to, a, first, last) {
  const index = new Int32Array(4 * (last - first));
  const weight = new Float32Array(4 * (last - first));
  for (let i = 0; i < last - first; i++) {
    const position = ((first + i + 0.5) * from) / to - 0.5;
    const start = Math.floor(position);
    const x = position - start;
    const w0 = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a;
    const w1 = ((a + 2) * x - (a + 3)) * x * x + 1;
    const w2 = ((a + 2) * (1 - x) - (a + 3)) * (1 - x) * (1 - x) + 1;
    weight.set([w0, w1, w2, 1 - w0 - w1 - w2], 4 * i);
    for (let k = 0; k < 4; k++) {
      index[4 * i + k] = Math.min(Math.max(start - 1 + k, 0), from - 1);
    }
  }
  return { index, weight };
}

/** Four rows, each with its weight, added up to a row of palette indices. */
function addRows(target, [a, b, c, d], [u, v, w, z]) {
  // (Four arrays in a function of their own: half the time of one long array with four places.)
  for (let x = 0; x < target.length; x++) target[x] = u * a[x] + v * b[x] + w * c[x] + z * d[x];
}

/** Bicubic upsampling to 0..255 palette indices: onto a box, of which `seen` is painted. */
function upsample(values, height, width, box, seen, bend) {
  const [outWidth, outHeight] = [seen[2] - seen[0], seen[3] - seen[1]];
  const across = cubicTaps(width, box[2] - box[0], bend, seen[0] - box[0], seen[2] - box[0]);
  const rows = [];
  for (let y = 0; y < height; y++) {
    rows.push(new Float32Array(outWidth));
    for (let x = 0; x < outWidth; x++) {
      let sum = 0;
      for (let k = 4 * x; k < 4 * x + 4; k++) {
        sum += across.weight[k] * values[y * width + across.index[k]];
      }
      rows[y][x] = sum;
    }
  }
  const down = cubicTaps(height, box[3] - box[1], bend, seen[1] - box[1], seen[3] - box[1]);
  const indices = new Uint8ClampedArray(outHeight * outWidth); // rounds and clips by itself
  for (let y = 0; y < outHeight; y++) {
    const four = Array.from(down.index.subarray(4 * y, 4 * y + 4), (place) => rows[place]);
    const weights = down.weight.subarray(4 * y, 4 * y + 4);
    addRows(indices.subarray(y * outWidth, (y + 1) * outWidth), four, weights);
  }
  return indices;
}

/** 256 colours as 32-bit pixels, from the 768 bytes that picture.palette gave. */
function pixelsOfPalette(base64) {
  const rgb = bytesOf(base64);
  const pixels = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    pixels[i] = (255 << 24) | (rgb[3 * i + 2] << 16) | (rgb[3 * i + 1] << 8) | rgb[3 * i];
  }
  return pixels;
}

/** How strong each index of the palette is, 0 to 255; signed: how far from the neutral middle. */
function strengthsOf(evidence) {
  return Array.from({ length: 256 }, (_, index) => (evidence === "signed" ? Math.abs(2 * index - 255) : index));
}

/** The strength from which on a pixel is one of the strongest `percent`. */
function weakestOf(indices, evidence, percent) {
  if (percent >= 100) return 0;
  const ofIndex = new Uint32Array(256);
  for (let i = 0; i < indices.length; i++) ofIndex[indices[i]]++;
  const counts = new Uint32Array(256);
  strengthsOf(evidence).forEach((strength, index) => { counts[strength] += ofIndex[index]; });
  let left = (indices.length * percent) / 100;
  let from = 256;
  while (from > 1 && left > 0) left -= counts[--from];
  return from;
}

const ALL = 32768; // the share of a pixel that is wholly covered, as in picture.py

/** How much of the photo each index of the palette covers, 0 to ALL; picture.covers has the curve. */
function coversOf({ look, opacity }, { evidence, weakest }) {
  const share = (strength) => {
    if (strength < weakest) return 0;
    const s = strength / 255;
    return Math.floor((look === "glow" ? opacity * s * s * (3 - 2 * s) : opacity) * ALL + 0.5);
  };
  return Int32Array.from(strengthsOf(evidence), share);
}

/** A map as palette indices 0..255: it lies on a box, and `seen` of it; `range` comes from displayRange. */
function indicesOf(map, range, evidence, box, seen) {
  return upsample(scaled(map, range, evidence), map.height, map.width, box, seen, bendOf(evidence));
}

/** Palette indices as a picture of their colours alone. */
function coloured(indices, pixels, height, width) {
  const image = new ImageData(width, height);
  const target = new Uint32Array(image.data.buffer);
  for (let i = 0; i < target.length; i++) target[i] = pixels[indices[i]];
  return image;
}
