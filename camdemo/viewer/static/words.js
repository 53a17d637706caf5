// The same map in words, for those who can't see it and for those who want a number.

/** Half up, as records.percent rounds: toFixed rounds the decimal text, and Python's to even. */
const halfUp = (value) => Math.floor(value + 0.5);

/** A share (0 to 1) for people: "90 %", "0.4 %", "<0.1 %". The rule of records.percent. */
function percentText(share) {
  const points = 100 * share;
  if (points >= 9.95) return `${halfUp(points)} %`;
  return points >= 0.05 ? `${(halfUp(10 * points) / 10).toFixed(1)} %` : "<0.1 %";
}

/** A map value with three significant digits. */
function valueText(value) {
  return value === 0 ? "0" : Number(value.toPrecision(3)).toString();
}

/** How much of a cell lies between two places of its row, which are in cells. */
const overlapOf = (cell, first, last) => Math.max(0, Math.min(cell + 1, last) - Math.max(cell, first));

/** How much of each cell of a map lies on the photo, 0 to 1: all of it but in the bars of "fit". */
function weightsOf(map, scene) {
  const { across, down } = cellsOnPhoto(map, scene);
  const weights = new Float64Array(map.values.length);
  for (let i = 0; i < weights.length; i++) {
    weights[i] = overlapOf(Math.floor(i / map.width), ...down) * overlapOf(i % map.width, ...across);
  }
  return weights;
}

/** The sum of a map's positive cells, each by its weight, or whole. */
function positiveSum(map, weights = null) {
  let sum = 0;
  for (let i = 0; i < map.values.length; i++) sum += Math.max(map.values[i], 0) * (weights ? weights[i] : 1);
  return sum;
}

/** How much of each of so many cells in a row lies in the first, second and last third of a part of it. */
function thirdsOf(cells, [first, last]) {
  const third = (last - first) / 3;
  return Array.from({ length: cells }, (_, cell) =>
    [0, 1, 2].map((zone) => overlapOf(cell, first + zone * third, first + (zone + 1) * third)));
}

const PLACES = [
  ...["in the upper left", "in the upper centre", "in the upper right"],
  ...["in the middle left", "in the centre", "in the middle right"],
  ...["in the lower left", "in the lower centre", "in the lower right"],
];

const WORTH_SAYING = 0.1; // of the evidence, in the bars; that of explanation.py

/**
 * Where most positive evidence lies: the share of it in the best of nine equal parts of the frame,
 * and that part in words. A cell that lies in several of them, or in a bar beside the photo, counts for
 * each by its area. `bars` is how much lies in bars: where that is worth saying, `share` is of the rest.
 * Without a place where several have as much; `even` where each has from 10 to 12.5 % of what is on
 * the photo.
 */
function placeOf(map, scene) {
  const seen = cellsOnPhoto(map, scene);
  const [down, across] = [thirdsOf(map.height, seen.down), thirdsOf(map.width, seen.across)];
  const zones = PLACES.map(() => 0);
  map.values.forEach((value, i) => {
    if (value <= 0) return;
    const [rows, columns] = [down[Math.floor(i / map.width)], across[i % map.width]];
    for (let zone = 0; zone < 9; zone++) zones[zone] += value * rows[Math.floor(zone / 3)] * columns[zone % 3];
  });
  const [total, onPhoto] = [positiveSum(map), positiveSum(map, weightsOf(map, scene))];
  const largest = Math.max(...zones);
  const best = PLACES.filter((_, zone) => zones[zone] > largest * (1 - 1e-9)); // sums are rounded
  const even = largest <= 0.125 * onPhoto && Math.min(...zones) >= 0.1 * onPhoto;
  const bars = 1 - onPhoto / total;
  const counted = bars > WORTH_SAYING ? onPhoto : total;
  return { bars, share: counted > 0 ? largest / counted : 0, place: best.length === 1 ? best[0] : null, even };
}

/** That much of the evidence lies where nothing is painted; the sentence of Explanation.caveat. */
const describeBars = (bars, what) => `${percentText(bars)} of ${what} lies in the bars, outside of the photo.`;

/** What is said first, and what the next sentences are about: `what`, or the rest of it. */
function beforeRest({ bars }, what) {
  return bars > WORTH_SAYING ? [[describeBars(bars, what)], "the rest"] : [[], what];
}

const ENLARGED = 1.25; // from that on: a photo as large as the input is enlarged by 1.14, since its edges are cut off
const MOSTLY_BARS = 0.5; // of the input

/** What must be known of a photo of which the model sees few pixels, or little; else empty. */
function describeSource({ input_size: [wide, high], part, natural_box: [left, top, right, bottom] }) {
  const [width, height] = [right - left, bottom - top];
  const bars = 1 - ((part[2] - part[0]) * (part[3] - part[1])) / (wide * high);
  const told = [];
  if (bars > MOSTLY_BARS) told.push(`${percentText(bars)} of what the model sees are bars beside the photo.`);
  if (Math.sqrt(width * height) * ENLARGED < Math.sqrt(wide * high)) {
    const seen = [Math.round((width * (part[2] - part[0])) / wide), Math.round((height * (part[3] - part[1])) / high)];
    told.push(`The model sees ${seen.join(" x ")} pixels, enlarged to ${wide} x ${high}: the map is no finer than they are.`);
  }
  return told.join(" ");
}

/** Where most of it lies, "Most" only of more than half; `what` is "it", or "what speaks for lion". */
function describePlace({ share, place, even }, what) {
  if (even) return `${what[0].toUpperCase()}${what.slice(1)} is spread evenly.`;
  if (!place) return `The largest parts of ${what} have ${percentText(share)} each.`;
  const part = share >= 0.505 ? "Most" : "The largest part"; // the number beside it is above 50
  return `${part} of ${what} (${percentText(share)}) lies ${place}.`;
}

/** What a person must know of a map that can't be drawn; the sentence of Explanation.caveat. */
function describeNothing(evidence, label) {
  return evidence === "positive"
    ? `No positive evidence for ${label} at this layer.`
    : `The map of ${label} is the same everywhere at this layer.`;
}

const WEAK = 1 / 3; // of the scale: up to there Glow is hardly seen

/** How weak a map is that one scale for all labels leaves pale; empty where it is not. */
function describeWeak(map, range) {
  if (!range) return "";
  const { low, high } = ownRange(map);
  const strongest = range.from < 0 ? Math.max(high, -low) : high; // what is against is seen, too
  const share = strongest / Math.max(range.to, -range.from);
  return share < WEAK ? `A weak map: its strongest cell has ${percentText(share)} of the scale.` : "";
}

/** How much of the frame the strongest cells cover that have this much of the evidence, by what lies on the photo. */
function areaWith(map, weights, evidence) {
  const positive = Array.from(map.values.keys()).filter((cell) => map.values[cell] > 0);
  positive.sort((a, b) => map.values[b] - map.values[a]);
  let [sum, area] = [0, 0];
  for (const cell of positive) {
    if (sum >= evidence) break;
    sum += map.values[cell] * weights[cell];
    area += weights[cell];
  }
  return area / weights.reduce((one, other) => one + other);
}

/** Sentences about a whole map: what lies in bars, in how much of the frame half lies, and where most. */
function describe(map, label, scene) {
  const total = positiveSum(map);
  if (total <= 0) return describeNothing("positive", label);
  const where = placeOf(map, scene);
  const [first, what] = beforeRest(where, `the evidence for ${label}`);
  const weights = weightsOf(map, scene);
  const onPhoto = positiveSum(map, weights);
  if (onPhoto <= 0) return first.join(" ");
  const area = percentText(areaWith(map, weights, (first.length ? onPhoto : total) / 2));
  return [...first, `Half of ${what} lies in ${area} of the frame.`, describePlace(where, "it")].join(" ");
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

/** What hiding a part did, and as much of it elsewhere; the sentences of Occlusion.text. */
function describeHiding({ label, keep, before, after, elsewhere, error, overlap }) {
  const [act, patch] = keep ? ["Keeping only", "Keeping"] : ["Hiding", "Hiding"];
  const sentences = [`${act} this: ${label} ${percentText(before)} to ${percentText(after)}.`];
  if (elsewhere === undefined) return sentences; // it is still being computed
  const margin = 2 * error; // two standard errors hold 19 times in 20
  const verdict = Math.abs(after - elsewhere) > margin ? "" : ": no clear difference";
  const average = `${percentText(before)} to ${percentText(elsewhere)} on average`;
  sentences.push(`${patch} a random patch of this size: ${average}, give or take ${percentText(margin)}${verdict}.`);
  if (overlap >= 0.005) sentences.push(`The random patches overlap this one by ${percentText(overlap)}.`);
  return sentences;
}
