// A label against others: the map of its logit less the mean of theirs, times a strength. Where a
// method is linear in the gradient, as Grad-CAM is, that is the same of their maps, which are here
// already; that of another method comes from the server.

const OTHERS = "others"; // all other labels on the page

/** The labels that the explained one is compared with, by their indices; `versus` is null, OTHERS, one of them or several. */
function rivalsOf({ scene, target, versus }) {
  if (versus === OTHERS) return scene.labels.map(({ index }) => index).filter((index) => index !== target);
  return versus === null ? [] : [versus].flat();
}

/** What a scene is compared with, as the state has it: the shortest that says so. */
function versusOf({ labels, target, versus }) {
  const others = labels.filter(({ index }) => index !== target && versus.includes(index));
  if (versus.length > 1 && others.length === labels.length - 1) return OTHERS;
  return versus.length > 1 ? versus : (versus[0] ?? null);
}

/** Rivals as the server is asked for them: {versus: indices or null, strength}. */
function comparedIn(state) {
  const rivals = rivalsOf(state);
  return { versus: rivals.length ? rivals : null, strength: state.strength };
}

/** The map of a label against others, of a linear method: positive where the cell speaks for the label. */
function contrastOf(own, others, strength) {
  const values = new Float32Array(own.values.length);
  for (let i = 0; i < values.length; i++) {
    let sum = 0;
    for (const other of others) sum += other.values[i];
    values[i] = own.values[i] - (strength * sum) / others.length;
  }
  return { ...own, values, exact: own.exact && others.every(({ exact }) => exact) };
}

/** The same map seen from the other label. */
function opposite(map) {
  return { ...map, values: map.values.map((value) => -value) };
}

const NUMBERS = { 2: "two", 3: "three", 4: "four", 5: "five" };

/** What a label is compared with, in words; labels.against has the same: "cheetah", "the mean of the other four". */
function againstText(scene, state) {
  const rivals = rivalsOf({ scene, target: state.target, versus: state.versus });
  const names = rivals.map((index) => labelOf(scene, index).label);
  const told = () => {
    if (names.length === 1) return names[0];
    if (versusOf({ labels: scene.labels, target: state.target, versus: rivals }) === OTHERS) return `the mean of the other ${NUMBERS[names.length] ?? names.length}`;
    return names.length > 3 ? `the mean of ${names.length} labels` : `the mean of ${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
  };
  return state.strength === 1 ? told() : `${state.strength} of ${told()}`;
}

/** What stands at the other end of the colours: the one rival, or "the others". */
function rivalText(scene, state) {
  const rivals = rivalsOf({ scene, target: state.target, versus: state.versus });
  return rivals.length === 1 ? labelOf(scene, rivals[0]).label : "the others";
}

/** The explained label, and what it is compared with. */
function namesOf(scene, state) {
  const { label } = labelOf(scene, state.target);
  return state.versus === null ? label : `${label} against ${againstText(scene, state)}`;
}

/** Two sentences or more: which part speaks for which of the two. */
function describeDuel(map, label, rival, scene) {
  const sides = [[map, label, rival], [opposite(map), rival, label]];
  const silent = sides.find(([side]) => positiveSum(side) <= 0);
  if (silent) return `Nothing speaks for ${silent[1]} rather than ${silent[2]} at this layer.`;
  const told = ([side, name]) => {
    const where = placeOf(side, scene);
    const [first, what] = beforeRest(where, `what speaks for ${name}`);
    return [...first, ...(where.share > 0 ? [describePlace(where, what)] : [])];
  };
  return sides.flatMap(told).join(" ");
}

/** The same of a label against what a state compares it with, which is named where the sides don't tell it. */
function describeAgainst(map, label, state) {
  const { scene, strength } = state;
  const against = rivalsOf(state).length > 1 || strength !== 1 ? `Evidence for ${label} against ${againstText(scene, state)}. ` : "";
  return against + describeDuel(map, label, rivalText(scene, state), scene);
}

/** What the explained label can be compared with; built anew where that has changed. */
function buildRivals(viewer) {
  const { scene, target, versus } = viewer.state;
  const others = scene.labels.filter(({ index }) => index !== target);
  const entries = [["", "nothing"], ...others.map(({ index, label }) => [index, label])];
  if (others.length > 1) entries.splice(1, 0, [OTHERS, "the others (mean)"]);
  if (Array.isArray(versus)) entries.push([versus, `${versus.length} labels (mean)`]);
  const select = viewer.find("[data-control=versus]");
  if ([...select.options].map(({ value }) => value).join() === entries.map(([value]) => value).join() && select.options.length) return;
  select.replaceChildren(...entries.map(([value, textContent]) => make("option", { value, textContent })));
}

/** Compare with the most probable other label, then with all others on the page, then with none. */
function stepRivals(viewer) {
  if (!canBeAsked(viewer)) return;
  const { scene, target, versus, method } = viewer.state;
  const { title, knows_label: knowsLabel } = methodOf(method);
  if (!knowsLabel) return viewer.say(`${title} knows no label, so that it can't compare two. Choose another method.`);
  const others = scene.labels.filter(({ index }) => index !== target);
  const steps = [null, ...others.slice(0, 1).map(({ index }) => index), ...(others.length > 1 ? [OTHERS] : [])];
  const at = typeof versus === "number" ? 1 : steps.indexOf(versus); // several that a link named end with the next
  viewer.set({ versus: at < 0 ? null : steps[(at + 1) % steps.length] });
}

/** Under which name a map is kept; `rivals` are those that it was held against, and how strongly. */
function mapKey(method, layer, target, rivals = [], strength = 1) {
  const against = rivals.length ? [[...rivals].sort((a, b) => a - b), strength] : [];
  return [method, layer, target, ...against].join("/");
}

/** The same of a map of pixels: it has no layer, but settings. */
function pixelKey(state, method, target) {
  const rivals = target === state.target ? rivalsOf(state) : [];
  return `${mapKey(method, "input", target, rivals, state.strength)} ${settingsText(state, method)}`;
}
