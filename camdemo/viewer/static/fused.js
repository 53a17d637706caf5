// All layers at once: one map of the last stages together, as camdemo/methods/fusing.py makes it. Here
// it is made of maps that have come already.

/** Where a linear interpolation takes each of so many values from: two places, and the second's share. */
function linearTaps(from, to) {
  return Array.from({ length: to }, (_, i) => {
    const position = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    const first = Math.floor(position);
    return { first, second: Math.min(first + 1, from - 1), share: position - first };
  });
}

/** The mean of signed maps, each divided by its largest absolute value, on one grid of [height, width]. */
function fuse(maps, [height, width]) {
  const values = new Float32Array(height * width);
  for (const map of maps) {
    const { low, high } = ownRange(map);
    const largest = Math.max(high, -low);
    if (largest === 0) continue;
    const [down, across] = [linearTaps(map.height, height), linearTaps(map.width, width)];
    const at = (row, { first, second, share }) =>
      map.values[row * map.width + first] * (1 - share) + map.values[row * map.width + second] * share;
    down.forEach(({ first, second, share }, row) => across.forEach((column, i) => {
      const value = at(first, column) * (1 - share) + at(second, column) * share;
      values[row * width + i] += value / largest / maps.length;
    }));
  }
  return { height, width, values, exact: maps.every(({ exact }) => exact) };
}

/** What stands in the strip: the stages, and all layers at once. */
function stripOf(layers) {
  return layers.filter(({ stage, parts }) => stage || parts.length);
}
