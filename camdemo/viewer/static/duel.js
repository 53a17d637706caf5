// Duel: two labels against each other. Where a method is linear in the gradient, as Grad-CAM is,
// the map of the difference of two logits is the difference of their maps, which are here already;
// that of another method comes from the server.

/** The map of the difference, of a linear method: positive where the cell speaks for the first. */
function differenceOf(first, second) {
  const values = new Float32Array(first.values.length);
  for (let i = 0; i < values.length; i++) values[i] = first.values[i] - second.values[i];
  return { ...first, values, exact: first.exact && second.exact };
}

/** The same map seen from the other label. */
function opposite(map) {
  return { ...map, values: map.values.map((value) => -value) };
}

/** The explained label, and the one that it is compared with. */
function namesOf(scene, { target, versus }) {
  return [target, versus].filter((index) => index !== null).map((index) => labelOf(scene, index).label).join(" against ");
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

/** The labels that the explained one can be compared with; built anew where they have changed. */
function buildRivals(viewer) {
  const { scene, target } = viewer.state;
  const others = scene.labels.filter(({ index }) => index !== target);
  const select = viewer.find("[data-control=versus]");
  const names = others.map(({ index }) => String(index));
  if ([...select.options].slice(1).map(({ value }) => value).join() === names.join() && select.options.length) return;
  select.replaceChildren(
    make("option", { value: "", textContent: "nothing" }),
    ...others.map(({ index, label }) => make("option", { value: index, textContent: label })),
  );
}

/** Compare with the most probable other label, or with none any more. */
function toggleDuel(viewer) {
  if (!canBeAsked(viewer)) return;
  const { scene, target, versus, method } = viewer.state;
  const { title, knows_label: knowsLabel } = methodOf(method);
  if (!knowsLabel) return viewer.say(`${title} knows no label, so that it can't compare two. Choose another method.`);
  const rival = scene.labels.find(({ index }) => index !== target);
  viewer.set({ versus: versus === null && rival ? rival.index : null });
}
