// Maps: from what travelled to values, and from values to colours. The same arithmetic as
// camdemo/render.py, which tests/browser/test_parity.py holds it to.

/** Bytes of a base64 text. */
function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/** A map as it travels -> {height, width, values: Float32Array, exact}, signed. */
function decodeMap(packet) {
  const bytes = bytesOf(packet.data);
  let values;
  if (packet.type === "f4") {
    values = new Float32Array(bytes.buffer);
  } else {
    values = Float32Array.from(new Int16Array(bytes.buffer), (v) => (v / 32767) * packet.largest);
  }
  return { height: packet.height, width: packet.width, values, exact: packet.type === "f4" };
}

/** The smallest and the largest value of several maps. */
function rangeOf(maps) {
  let low = Infinity;
  let high = -Infinity;
  for (const map of maps) {
    for (const value of map.values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return { low, high };
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
  return Float32Array.from(map.values, (value) => {
    const kept = evidence === "positive" ? Math.max(value, 0) : value;
    return (kept - range.from) * factor;
  });
}

/** Bicubic taps along one axis, as OpenCV's INTER_CUBIC has them (a = -0.75, edges repeated). */
function cubicTaps(from, to) {
  const A = -0.75;
  const index = new Int32Array(4 * to);
  const weight = new Float32Array(4 * to);
  for (let i = 0; i < to; i++) {
    const position = ((i + 0.5) * from) / to - 0.5;
    const start = Math.floor(position);
    const x = position - start;
    const w0 = ((A * (x + 1) - 5 * A) * (x + 1) + 8 * A) * (x + 1) - 4 * A;
    const w1 = ((A + 2) * x - (A + 3)) * x * x + 1;
    const w2 = ((A + 2) * (1 - x) - (A + 3)) * (1 - x) * (1 - x) + 1;
    weight.set([w0, w1, w2, 1 - w0 - w1 - w2], 4 * i);
    for (let k = 0; k < 4; k++) {
      index[4 * i + k] = Math.min(Math.max(start - 1 + k, 0), from - 1);
    }
  }
  return { index, weight };
}

/** Bicubic upsampling to 0..255 palette indices. */
function upsample(values, height, width, outHeight, outWidth) {
  const across = cubicTaps(width, outWidth);
  const rows = new Float32Array(height * outWidth);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < outWidth; x++) {
      let sum = 0;
      for (let k = 4 * x; k < 4 * x + 4; k++) {
        sum += across.weight[k] * values[y * width + across.index[k]];
      }
      rows[y * outWidth + x] = sum;
    }
  }
  const down = cubicTaps(height, outHeight);
  const indices = new Uint8ClampedArray(outHeight * outWidth); // rounds and clips by itself
  for (let y = 0; y < outHeight; y++) {
    const k = 4 * y;
    const [a, b, c, d] = [0, 1, 2, 3].map((tap) => down.index[k + tap] * outWidth);
    const [u, v, w, z] = down.weight.subarray(k, k + 4);
    const start = y * outWidth;
    for (let x = 0; x < outWidth; x++) {
      indices[start + x] = u * rows[a + x] + v * rows[b + x] + w * rows[c + x] + z * rows[d + x];
    }
  }
  return indices;
}

/** 256 colours as 32-bit pixels, from the 768 bytes that render.palette gave. */
function pixelsOfPalette(base64) {
  const rgb = bytesOf(base64);
  const pixels = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    pixels[i] = (255 << 24) | (rgb[3 * i + 2] << 16) | (rgb[3 * i + 1] << 8) | rgb[3 * i];
  }
  return pixels;
}

/** The lowest palette index among the strongest `percent` of the pixels. */
function strongestFrom(indices, percent) {
  if (percent >= 100) return 0;
  const counts = new Uint32Array(256);
  for (const index of indices) counts[index]++;
  let left = (indices.length * percent) / 100;
  for (let index = 255; index > 0; index--) {
    left -= counts[index];
    if (left <= 0) return index;
  }
  return 1;
}

/**
 * A map as a coloured picture of the given size.
 * `range` comes from displayRange; `strongest` hides all but that percentage of the area.
 */
function heatOf(map, range, { evidence, pixels, strongest }, height, width) {
  const indices = upsample(scaled(map, range, evidence), map.height, map.width, height, width);
  const image = new ImageData(width, height);
  const target = new Uint32Array(image.data.buffer);
  // For signed evidence strong is far from the neutral middle, on either side.
  const strength =
    evidence === "signed" ? indices.map((index) => Math.abs(2 * index - 255)) : indices;
  const from = strongestFrom(strength, strongest);
  for (let i = 0; i < indices.length; i++) {
    if (strength[i] >= from) target[i] = pixels[indices[i]];
  }
  return image;
}
