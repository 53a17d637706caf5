// Smoothing: a Gaussian over a map of pixels, which picture.smoothed has, too. Only what is painted is
// smoothed; numbers, words and files keep the map.

/** The weights of a Gaussian of `sigma` pixels, up to three of them either way; they add up to 1. */
function gaussianOf(sigma) {
  const reach = Math.ceil(3 * sigma);
  const weights = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * sigma * sigma)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/** Values along one axis, smoothed; beyond the edge the last one goes on. */
function smoothedAlong(values, lines, length, step, stride, weights) {
  const reach = weights.length >> 1;
  const found = new Float64Array(values.length);
  for (let line = 0; line < lines; line++) {
    for (let i = 0; i < length; i++) {
      let sum = 0;
      for (let k = -reach; k <= reach; k++) sum += weights[k + reach] * values[line * stride + within(i + k, length - 1) * step];
      found[line * stride + i * step] = sum;
    }
  }
  return found;
}

/** A map with each pixel the mean of those about it; the same map for no sigma. Computed once for the last sigma. */
const smooths = new WeakMap();
function smoothed(map, sigma) {
  if (!sigma) return map;
  const before = smooths.get(map);
  if (before?.sigma === sigma) return before.smooth;
  const { height, width, values } = map;
  const weights = gaussianOf(sigma);
  const across = smoothedAlong(values, height, width, 1, width, weights);
  const smooth = { ...map, values: Float32Array.from(smoothedAlong(across, width, height, width, 1, weights)) };
  smooths.set(map, { sigma, smooth });
  return smooth;
}
