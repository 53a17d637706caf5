// Maps that are alike: two methods that are one here, and a method that hardly answers for the label.

const ALIKE = 0.9; // the rank correlation from which on a person hardly sees that it is another label's

/** Whether two maps are the same but for the last digits. */
function areSame(one, other) {
  if (one.values.length !== other.values.length) return false;
  const { low, high } = rangeOf([one]);
  return one.values.every((value, cell) => Math.abs(value - other.values[cell]) <= 1e-5 * (high - low));
}

/** Why a switch between two methods changes nothing here; empty where it does. */
function describeSameMaps({ state, mapOf }) {
  const kin = ["gradcam", "hirescam", "xgradcam"];
  if (!kin.includes(state.method)) return "";
  const found = kin.map((method) => ({ method, map: mapOf(state.layer, state.target, method) }));
  const own = found.find(({ method }) => method === state.method);
  const same = found.filter(({ map }) => own.map && map && areSame(own.map, map)).map(({ method }) => methodOf(method).title);
  if (same.length < 2) return "";
  return `At this layer ${same.slice(1).join(" and ")} is ${same[0]}: what follows only averages and adds up.`;
}

/** The ranks of a map's values, the smallest 0; equal ones have the mean of theirs. Sorted once. */
const ranks = new WeakMap();
function ranksOf(map) {
  if (ranks.has(map)) return ranks.get(map);
  const { values } = map;
  const order = Array.from(values.keys()).sort((a, b) => values[a] - values[b]);
  const ranked = new Float64Array(values.length);
  for (let first = 0, last; first < order.length; first = last) {
    for (last = first + 1; last < order.length && values[order[last]] === values[order[first]];) last++;
    for (let i = first; i < last; i++) ranked[order[i]] = (first + last - 1) / 2;
  }
  ranks.set(map, ranked);
  return ranked;
}

/** Spearman's rank correlation of two maps of one size; null where one of them is the same everywhere. */
function rankCorrelation(one, other) {
  const [a, b] = [ranksOf(one), ranksOf(other)];
  const mean = (a.length - 1) / 2;
  let [both, ofA, ofB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    both += (a[i] - mean) * (b[i] - mean);
    ofA += (a[i] - mean) ** 2;
    ofB += (b[i] - mean) ** 2;
  }
  return ofA && ofB ? both / Math.sqrt(ofA * ofB) : null;
}

/** How alike a method's maps of the labels shown are: the first label's with each of the others', on average. */
function likenessOf({ state, mapOf }, method = state.method) {
  const maps = state.scene.labels.map(({ index }) => mapOf(state.layer, index, method));
  if (maps.length < 2 || !maps.every(Boolean)) return null; // some are still being computed
  const found = maps.slice(1).map((map) => rankCorrelation(maps[0], map)).filter((each) => each !== null);
  return found.length ? found.reduce((sum, each) => sum + each, 0) / found.length : null;
}

/** A sentence where the maps of the labels hardly differ; else empty. */
function describeLikeness(viewer) {
  const { method, versus } = viewer.state;
  if (versus !== null || !methodOf(method).knows_label) return "";
  const likeness = likenessOf(viewer);
  if (likeness === null || likeness <= ALIKE) return "";
  return `The maps of the labels shown are nearly the same (rank correlation ${likeness.toFixed(2)}): `
    + "whichever is asked, the answer is this place.";
}

/** What stands under a map that belongs to no label. */
function describeWithoutLabel(map, { title }, scene) {
  const where = positiveSum(map) > 0 ? [describePlace(placeOf(map, scene), "it")] : [];
  return [`${title} knows no label: this is where the layer changes most, whatever the answer.`, ...where].join(" ");
}
