// The same map in words, for those who can't see it and for those who want a number.

/** A share (0 to 1) for people: "90 %", "0.4 %", "<0.1 %". The rule of records.percent. */
function percentText(share) {
  const points = 100 * share;
  if (points >= 9.95) return `${points.toFixed(0)} %`;
  return points >= 0.05 ? `${points.toFixed(1)} %` : "<0.1 %";
}

/** A map value with three significant digits. */
function valueText(value) {
  return value === 0 ? "0" : Number(value.toPrecision(3)).toString();
}

/** The sum of a map's positive cells. */
function positiveSum(map) {
  let sum = 0;
  for (const value of map.values) sum += Math.max(value, 0);
  return sum;
}

/** Which ninth of the seen area holds most positive evidence: "upper left", "centre" ... */
function placeOf(map) {
  const zones = new Float32Array(9);
  map.values.forEach((value, i) => {
    const row = Math.floor((3 * (Math.floor(i / map.width) + 0.5)) / map.height);
    const column = Math.floor((3 * ((i % map.width) + 0.5)) / map.width);
    zones[3 * row + column] += Math.max(value, 0);
  });
  const best = zones.indexOf(Math.max(...zones));
  const name = `${["upper", "middle", "lower"][Math.floor(best / 3)]} ${
    ["left", "centre", "right"][best % 3]
  }`;
  return name === "middle centre" ? "in the centre" : name.replace("middle", "in the middle");
}

/** One sentence about a whole map. */
function describe(map, label) {
  const total = positiveSum(map);
  if (total <= 0) return `No positive evidence for ${label} at this layer.`;
  const positive = Array.from(map.values).filter((value) => value > 0);
  positive.sort((a, b) => b - a);
  let sum = 0;
  let cells = 0;
  while (sum < total / 2) sum += positive[cells++];
  const area = percentText(cells / map.values.length);
  return `Most evidence for ${label} lies ${placeOf(map)}; half of it in ${area} of the seen area.`;
}

/** One sentence about one cell; in a duel `rival` is the other label. */
function describeCell(map, row, column, rival) {
  const value = map.values[row * map.width + column];
  const total = positiveSum(map);
  const share =
    value > 0 && total > 0
      ? `${percentText(value / total)} of the positive evidence`
      : value < 0
        ? rival ? `speaks for ${rival}` : "speaks against the label"
        : "no evidence";
  return `Row ${row + 1}, column ${column + 1} of ${map.height} x ${map.width}: ${valueText(value)}, ${share}`;
}
