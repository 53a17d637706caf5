// How two maps differ, in numbers and words: camdemo/comparison.py in JavaScript.

/** The edges of a map's cells along one side of a box, of which counts what lies on the photo. */
function edgesOnPhoto(from, to, cells, length) {
  return Array.from({ length: cells + 1 }, (_, i) => within(from + ((to - from) * i) / cells, length));
}

/** How long each cell between some edges lies on each between others. */
function commonLengths(edges, others) {
  return edges.slice(1).map((end, i) =>
    others.slice(1).map((otherEnd, j) => Math.max(0, Math.min(end, otherEnd) - Math.max(edges[i], others[j]))));
}

/** A map as it lies on the photo, in pixels of that: its cells' edges, and their areas. */
function laidOut({ map: { height, width, values }, scene: { natural_box: [left, top, right, bottom], size } }) {
  const [across, down] = [edgesOnPhoto(left, right, width, size[0]), edgesOnPhoto(top, bottom, height, size[1])];
  const length = (edges, i) => edges[i + 1] - edges[i];
  const areas = Array.from(values, (_, i) => length(down, Math.floor(i / width)) * length(across, i % width));
  return { across, down, areas, values, width };
}

/** The fifth of the cells on the photo with the most evidence, as far as it is positive: true or false each. */
function strongestFifth({ values, areas }) {
  const onPhoto = [...values.keys()].filter((cell) => areas[cell] > 0);
  const order = onPhoto.sort((a, b) => values[b] - values[a]).slice(0, Math.max(1, Math.round(onPhoto.length / 5)));
  const kept = new Set(order.filter((cell) => values[cell] > 0));
  return Array.from(values, (_, cell) => kept.has(cell));
}

/**
 * How much the strongest fifths of two maps overlap on the same photo, and what that would be by chance;
 * null where one has none. Each is {map, scene}.
 */
function overlapOfMaps(...sides) {
  const [a, b] = sides.map(laidOut);
  const [inA, inB] = [strongestFifth(a), strongestFifth(b)];
  const sum = (areas) => areas.reduce((one, other) => one + other, 0);
  const areaOf = ({ areas }, kept) => sum(areas.filter((_, cell) => kept[cell]));
  const [areaA, areaB] = [areaOf(a, inA), areaOf(b, inB)];
  if (!areaA || !areaB) return null;
  const [down, across] = [commonLengths(a.down, b.down), commonLengths(a.across, b.across)];
  let both = 0;
  inA.forEach((isA, i) => {
    if (!isA) return;
    inB.forEach((isB, j) => {
      if (isB) both += down[Math.floor(i / a.width)][Math.floor(j / b.width)] * across[i % a.width][j % b.width];
    });
  });
  const [shareA, shareB] = [areaA / sum(a.areas), areaB / sum(b.areas)];
  return { overlap: both / (areaA + areaB - both), chance: (shareA * shareB) / (shareA + shareB - shareA * shareB) };
}

const NO_EVIDENCE = "none at this layer";
const NONE_ON_PHOTO = "none on the photo";

/** Where the evidence lies, and how wide. */
function describeSpread({ map, scene }) {
  const total = positiveSum(map);
  if (total <= 0) return NO_EVIDENCE;
  const weights = weightsOf(map, scene);
  const onPhoto = positiveSum(map, weights);
  if (onPhoto <= 0) return NONE_ON_PHOTO;
  const { share, place, even, bars } = placeOf(map, scene);
  const where = even ? "it evenly spread" : `${percentText(share)} ${place ?? "in each of its largest parts"}`;
  const half = areaWith(map, weights, (bars > WORTH_SAYING ? onPhoto : total) / 2);
  return `${where} and half in ${percentText(half)}`;
}

/** The difference in a few sentences; `sides` are {map, scene, method, probability}, `shared` is that of overlapOfMaps. */
function describeComparison(name, sides, shared) {
  const [a, b] = sides.map(({ probability }) => percentText(probability));
  const [first, second] = sides.map(describeSpread);
  const frame = [NO_EVIDENCE, NONE_ON_PHOTO].includes(first) ? "" : " of the frame";
  const alike = sides.map(({ method }, i) => (methodOf(method).knows_label ? "" : `${"AB"[i]}'s map is the same for all labels.`));
  const overlap = shared && `Their strongest fifths overlap by ${percentText(shared.overlap)} (by chance ${percentText(shared.chance)}).`;
  return [`${name}: A ${a}, B ${b}.`, `Evidence: A has ${first}${frame}, B has ${second}.`, ...alike, overlap].filter(Boolean).join(" ");
}
