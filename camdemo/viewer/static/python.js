// What is seen as lines of Python, which compute the very map.

/** The regions that are hidden, in pixels of the photo. */
function regionsTaken(state) {
  const { scene, photo } = state;
  const [width, height] = scene.size;
  return regionsInPhoto(regionsNow(state), width / photo.width, height / photo.height);
}

/** The lines of Python that hide what is hidden; what they can't say is said in words. */
function pythonOfHiding(state) {
  const regions = regionsTaken(state);
  const boxes = regions.flatMap((region) => region.boxes ?? []);
  const strokes = regions.filter(({ points }) => points).length;
  const box = ({ left, top, right, bottom }) => `Box(${left}, ${top}, ${right}, ${bottom})`;
  const how = [`fill="${state.fill}"`, ...(state.keep ? ["keep=True"] : [])].join(", ");
  const call = boxes.length === 1
    ? [`explanation.hide(${box(boxes[0])}, ${how})`]
    : ["explanation.hide(", "    [", ...boxes.map((each) => `        ${box(each)},`), `    ], ${how},`, ")"];
  const more = `# On the page ${strokes === 1 ? "a stroke" : `${strokes} strokes`} of the brush ${state.keep ? "kept" : "hid"} more: no boxes say that.`;
  return [...(boxes.length ? call : []), ...(strokes ? [more] : [])];
}

/** A value as Python writes it. */
const asPython = (value) => JSON.stringify(value);

/** The lines of Python that explain a photo as a state shows it; `start` is what explains. */
function pythonOfQuestion(start, state) {
  const { scene, layer, method, target, strength } = state;
  const rivals = rivalsOf(state);
  const isOthers = rivalNamesTold(state) === OTHERS;
  const named = rivals.map((index) => labelOf(scene, index).label).join(", ");
  const versus = isOthers ? asPython(OTHERS) : rivals.length > 1 ? `[${rivals.join(", ")}]` : rivals[0];
  return [
    `${start}.explain(`,
    `    ${scene.code.photo},`,
    `    model=${asPython(scene.model.name)},`,
    ...(isPixel(method) ? [] : [`    layer=${asPython(layer)},`]),
    `    method=${asPython(method)},`,
    ...(isPixel(method) ? Object.entries(settingsOf(state, method)).map(([name, value]) => `    ${name}=${asPython(value)},`) : []),
    `    target=${target},  # ${labelOf(scene, target).label}`,
    ...(rivals.length ? [`    versus=${versus},  # ${named}`] : []),
    ...(rivals.length && strength !== 1 ? [`    strength=${strength},`] : []),
    `    framing=${asPython(scene.framing)},`,
    ")",
  ];
}

/** The lines of Python that compute this very map, or these two, and draw it as far as Python does. */
function pythonOf(state, other) {
  const hiding = other ? [] : pythonOfHiding(state);
  const { scene, versus, colormap, opacity, evidence, look } = state;
  const smooth = isPixel(state.method) ? { smooth: state.smooth } : {};
  const drawn = { colormap, opacity, evidence: versus === null ? evidence : "signed", look, ...smooth };
  const settings = Object.entries(drawn).map(([name, value]) => `${name}=${asPython(value)}`).join(", ");
  // What the canvas alone can do is said where it is done; one scale does nothing to a difference.
  const usual = { ...defaultsOf(Object.values(OPTIONS.look)), shared: versus !== null && state.shared };
  const rest = Object.keys(usual).filter((name) => !(name in drawn) && name !== "smooth" && state[name] !== usual[name]);
  return [
    ...new Set([...scene.code.imports, ...(other ? other.scene.code.imports : [])]),
    `from camdemo import ${hiding.some((line) => line.includes("Box(")) ? "Box, " : ""}Explainer${other ? ", compare" : ""}`,
    "",
    ...(other
      ? [
          "explainer = Explainer()",
          ...pythonOfQuestion("a = explainer", state),
          ...pythonOfQuestion("b = explainer", other),
          "comparison = compare(a, b)",
          "print(comparison.text)",
          `comparison.figure(${settings})`,
        ]
      : [
          ...pythonOfQuestion("explanation = Explainer()", state),
          "explanation.cam  # the signed map, float32",
          `explanation.overlay(${settings})`,
        ]),
    ...(rest.length ? [`# On the page also: ${rest.map((name) => `${name} ${state[name]}`).join(", ")}.`] : []),
    ...hiding,
    "",
  ].join("\n");
}
